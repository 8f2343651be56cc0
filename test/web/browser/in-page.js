// What tests ask of the page itself, from within; see looks.ts.
;(() => {
  /** What is wider than the window, and does not scroll by itself; empty when the page does not scroll sideways. */
  const tooWide = () => {
    const { scrollWidth, clientWidth } = document.documentElement
    if (scrollWidth <= clientWidth) return []
    const inScroller = (element) => {
      for (let at = element.parentElement; at !== null && at !== document.body; at = at.parentElement)
        if (['auto', 'scroll', 'hidden', 'clip'].includes(getComputedStyle(at).overflowX)) return true
      return false
    }
    const wide = []
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT)
    for (let node = texts.nextNode(); node !== null; node = texts.nextNode()) {
      const range = document.createRange()
      range.selectNode(node)
      const element = node instanceof Element ? node : node.parentElement
      if (element === null || range.getBoundingClientRect().right <= clientWidth + 0.5) continue
      if (!inScroller(element) && wide.at(-1) !== element) wide.push(element)
    }
    return [
      `the page is ${scrollWidth} px wide in a window of ${clientWidth}`,
      ...wide.slice(-3).map((element) => element.outerHTML.slice(0, 160)),
    ]
  }

  const FOREIGN =
    'script, iframe, object, embed, link, meta, base, style, img, animate, audio, video, marquee'

  /** What in the page could do something: elements and attributes that only a stranger would have put there, and where links lead. */
  const strange = () => {
    const own = location.origin
    const found = []
    for (const element of document.querySelectorAll('main *')) {
      if (element.matches(FOREIGN)) found.push(element.outerHTML.slice(0, 120))
      for (const { name } of element.attributes)
        if (/^on|^style$|^srcdoc$/.test(name)) found.push(`${name} of ${element.outerHTML.slice(0, 120)}`)
      if (element instanceof HTMLFormElement && !element.action.startsWith(own))
        found.push(`a form to ${element.action}`)
      if (!(element instanceof HTMLAnchorElement && element.hasAttribute('href'))) continue
      const { protocol, origin, rel, href } = element
      if (!/^(https?|mailto):$/.test(protocol)) found.push(`a link to ${href}`)
      else if (
        origin !== own &&
        protocol !== 'mailto:' &&
        !(rel.includes('noopener') && rel.includes('nofollow'))
      )
        found.push(`a link to ${href} without its rel`)
    }
    const ids = [...document.querySelectorAll('[id]')].map(({ id }) => id)
    const twice = ids.filter((id, at) => ids.indexOf(id) !== at)
    return [...found, ...twice.map((id) => `two elements have the id ${id}`)]
  }

  /** What has the focus, and whether one sees that it has. */
  const focus = () => {
    const at = document.activeElement ?? document.body
    const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(at)
    const { top, height, width } = at.getBoundingClientRect()
    const marked = (outlineStyle !== 'none' && Number.parseFloat(outlineWidth) > 0) || boxShadow !== 'none'
    // a field in a frame of its own is marked by its frame
    const frame = at.matches('input') ? at.closest('form, label') : null
    const framed = frame !== null && getComputedStyle(frame).outlineStyle !== 'none'
    return {
      what: `${at.tagName.toLowerCase()} ${(at.textContent ?? '').trim().slice(0, 30) || at.id}`,
      seen: (marked || framed) && width > 0 && height > 0,
      top,
    }
  }

  /** By how much the page has moved since it was first drawn (Layout Instability API). */
  const shift = async () => {
    await document.fonts.ready
    let sum = 0
    const add = (entries) => {
      for (const { value } of entries) sum += value
    }
    const observer = new PerformanceObserver((list) => add(list.getEntries()))
    observer.observe({ type: 'layout-shift', buffered: true })
    for (let frame = 0; frame < 3; frame++) await new Promise((drawn) => requestAnimationFrame(drawn))
    add(observer.takeRecords())
    return sum
  }

  /** Milliseconds from the click until the page could be used. */
  const ready = () => performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd

  /** Addresses of what was fetched for the page over the wire. */
  const fetched = () =>
    performance
      .getEntriesByType('resource')
      .filter(({ transferSize }) => transferSize > 0)
      .map(({ name }) => name)

  /** Puts into the page what the check for strange things must find. */
  const plant = () => {
    const planted = document.createElement('div')
    planted.innerHTML =
      '<img src="http://203.0.113.9/x" onerror="window.hacked=1"><a href="javascript:1">x</a><p id="main">x</p>'
    document.querySelector('main').append(planted)
  }

  window.inPage = { tooWide, strange, focus, shift, ready, fetched, plant }
})()
