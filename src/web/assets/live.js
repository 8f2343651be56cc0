// A picture that follows what it shows: the server sends it anew when it changed. Parts that are as before stay as they are, and
// what somebody has opened, scrolled or reached by keyboard stays so in those that are not.
const LONGEST_MS = 60_000
const SILENT_MS = 40_000

/** Replaces the children of `part`, each known by its id, where their markup differs from what `shown` holds. */
function put(part, markup, shown) {
  const page = new DOMParser().parseFromString(markup, 'text/html')
  const next = [...page.body.children]
  const focused = part.contains(document.activeElement) ? placeOf(document.activeElement) : undefined
  const ids = new Set(next.map(({ id }) => id))
  for (const old of [...part.children]) if (!ids.has(old.id)) old.remove()
  let before = null
  for (const child of next.reverse()) {
    const old = part.querySelector(`:scope > [id="${child.id}"]`)
    const text = child.outerHTML
    if (old !== null && shown.get(child.id) === text) before = old
    else {
      if (old !== null) keepOpen(old, child)
      const made = document.adoptNode(child)
      const scrolled = old === null ? [] : scrolls(old)
      if (old === null) part.insertBefore(made, before)
      else old.replaceWith(made)
      for (const [id, top, left] of scrolled) made.querySelector(`[id="${id}"]`)?.scrollTo(left, top)
      before = made
    }
    shown.set(child.id, text)
  }
  if (focused !== undefined && !part.contains(document.activeElement))
    elementAt(part, focused)?.focus({ preventScroll: true })
}

function keepOpen(old, child) {
  for (const details of old.querySelectorAll('details[open][id]'))
    child.querySelector(`details[id="${details.id}"]`)?.setAttribute('open', '')
}

const scrolls = (old) =>
  [...old.querySelectorAll('[id]')]
    .filter((one) => one.scrollTop > 0 || one.scrollLeft > 0)
    .map((one) => [one.id, one.scrollTop, one.scrollLeft])

/** Where an element stands among those of its kind: links and scrolling parts have no ids. */
const FOCUSABLE = 'a[href], summary, [tabindex]'
const placeOf = (element) => {
  const section = element.closest('[data-live] > [id]')
  return section === null
    ? undefined
    : [section.id, [...section.querySelectorAll(FOCUSABLE)].indexOf(element)]
}
const elementAt = (part, [id, at]) =>
  part.querySelector(`:scope > [id="${id}"]`)?.querySelectorAll(FOCUSABLE)[at]

function follow(part, says) {
  const shown = new Map([...part.children].map((child) => [child.id, child.outerHTML]))
  let source
  let pause = 2000
  let retry
  let watchdog
  const say = (state, text) => {
    part.dataset.state = state
    if (says === null || says.dataset.state === state) return
    says.dataset.state = state
    says.textContent = text
  }
  const stale = () => say('stale', `stale since ${new Date().toLocaleTimeString()}`)
  const heard = () => {
    clearTimeout(watchdog)
    watchdog = setTimeout(() => {
      stale()
      close()
      open()
    }, SILENT_MS)
    pause = 2000
    say('live', 'live')
  }
  const open = () => {
    source = new EventSource(part.getAttribute('data-live'))
    source.addEventListener('picture', (event) => {
      put(part, event.data, shown)
      heard()
    })
    source.addEventListener('beat', heard)
    source.addEventListener('error', () => {
      stale()
      if (source.readyState !== EventSource.CLOSED) return // the browser comes again by itself
      clearTimeout(watchdog)
      retry = setTimeout(open, pause)
      pause = Math.min(LONGEST_MS, pause * 2)
    })
  }
  const close = () => {
    clearTimeout(retry)
    clearTimeout(watchdog)
    source?.close()
  }
  addEventListener('pagehide', close)
  addEventListener('pageshow', (event) => {
    if (event.persisted) open()
  })
  open()
}

for (const part of document.querySelectorAll('[data-live]'))
  follow(part, document.querySelector('[data-follow]'))
