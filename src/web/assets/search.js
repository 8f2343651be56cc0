// Results while one types: the page of the same address is fetched, and its results put in place of those that are shown.
const form = document.querySelector('#search-form')
const field = document.querySelector('#q')
let asked = 0

async function show(address) {
  const turn = ++asked
  const answer = await fetch(address, { headers: { accept: 'text/html' } })
  if (turn !== asked || !answer.ok) return
  const page = new DOMParser().parseFromString(await answer.text(), 'text/html')
  const results = page.querySelector('#results')
  if (turn !== asked || results === null) return
  const open = document.querySelector('.facets > details')?.open
  document.querySelector('#results')?.replaceWith(document.adoptNode(results))
  const filters = document.querySelector('.facets > details')
  if (filters && open !== undefined) filters.open = open
  // filters of the form are those of the address
  for (const hidden of form.querySelectorAll('input[type=hidden]')) hidden.remove()
  for (const hidden of page.querySelectorAll('#search-form input[type=hidden]'))
    form.append(document.adoptNode(hidden))
  document.title = page.title
}

if (form instanceof HTMLFormElement && field instanceof HTMLInputElement) {
  let waiting
  const go = (address, how) => {
    show(address)
      .then(() => history[how](null, '', address))
      .catch(() => location.assign(address))
  }
  const address = () =>
    `/search?${new URLSearchParams([...new FormData(form)].filter(([, value]) => value !== ''))}`
  field.addEventListener('input', () => {
    clearTimeout(waiting)
    waiting = setTimeout(() => go(address(), 'replaceState'), 120)
  })
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    clearTimeout(waiting)
    go(address(), 'pushState')
  })
  document.addEventListener('click', (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return
    const link =
      event.target instanceof Element ? event.target.closest('.facets a, .chosen a, .sorts a') : null
    if (!(link instanceof HTMLAnchorElement)) return
    event.preventDefault()
    go(link.href, 'pushState')
  })
  addEventListener('popstate', () => location.reload())
}
