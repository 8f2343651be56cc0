// What pages are better with, and do not need: "/" goes to the search, the tab of the page is in sight, what is to be
// copied has a button.
document.addEventListener('keydown', (event) => {
  if (event.key !== '/' || event.ctrlKey || event.metaKey || event.altKey) return
  if (event.target instanceof Element && event.target.closest('input, textarea, select')) return
  // the one of the page before the one at the top, which is hidden then
  const field = ['#q', '#home-find', '#find']
    .map((id) => document.querySelector(id))
    .find((one) => one !== null)
  if (!(field instanceof HTMLInputElement)) return
  event.preventDefault()
  field.focus()
  field.select()
})

// on a phone, the tab of this page may be beyond the edge
const tab = document.querySelector('.tabs [aria-current]')
if (tab?.parentElement) {
  const tabs = tab.parentElement
  const [outer, inner] = [tabs.getBoundingClientRect(), tab.getBoundingClientRect()]
  if (inner.right > outer.right) tabs.scrollLeft = inner.right - outer.right + outer.width / 4
}

for (const block of document.querySelectorAll('[data-copy]')) {
  const button = document.createElement('button')
  button.type = 'button'
  button.className = 'copy'
  button.textContent = 'Copy'
  button.addEventListener('click', async () => {
    const text = block.getAttribute('data-copy') || (block.querySelector('code')?.textContent ?? '')
    try {
      await navigator.clipboard.writeText(text)
      button.textContent = 'Copied'
    } catch {
      // a browser that does not let pages copy still lets people select
      const code = block.querySelector('code')
      if (code) getSelection()?.selectAllChildren(code)
      button.textContent = 'Press Ctrl+C'
    }
    setTimeout(() => {
      button.textContent = 'Copy'
    }, 2000)
  })
  block.append(button)
}
