// A picture that follows what it shows: the server sends it anew when it changed.
for (const part of document.querySelectorAll('[data-live]')) {
  const source = new EventSource(part.getAttribute('data-live'))
  source.addEventListener('picture', (event) => {
    const page = new DOMParser().parseFromString(event.data, 'text/html')
    part.replaceChildren(...page.body.childNodes)
    part.dataset.state = 'live'
  })
  source.addEventListener('error', () => {
    part.dataset.state = 'stale'
  })
  addEventListener('pagehide', () => source.close())
}
