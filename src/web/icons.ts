import { type Html, html, trusted } from './html.ts'

/** Drawings on a grid of 20, in strokes of the text's colour. */
const DRAWINGS = {
  /** A line with a hook: the mark. */
  hookline: '<path d="M2 5h16"/><path d="M13 5v7a4 4 0 0 1-8 0v-1"/><path d="m3 13 2-2 2 2"/>',
  search: '<circle cx="9" cy="9" r="5.5"/><path d="m13 13 4.5 4.5"/>',
  person: '<circle cx="10" cy="7" r="3.2"/><path d="M3.8 17c.8-3.4 3.1-5 6.2-5s5.4 1.6 6.2 5"/>',
  /** A driver's queue: the packet is met before the stack. */
  xdp: '<path d="M2 10h5"/><rect x="7" y="5" width="6" height="10" rx="1"/><path d="M10 2v3M10 15v3M13 10h5" />',
  'tc-ingress': '<path d="M2 10h9"/><path d="m8 6 4 4-4 4"/><path d="M16 4v12"/>',
  'tc-egress': '<path d="M4 4v12"/><path d="M9 10h9"/><path d="m14 6 4 4-4 4"/>',
  key: '<circle cx="6.5" cy="13.5" r="3.5"/><path d="m9 11 7.5-7.5M13 7l2.5 2.5"/>',
  verified:
    '<path d="M10 2.5 16.5 5v5c0 4-2.8 6.4-6.5 7.5C6.3 16.4 3.5 14 3.5 10V5z"/><path d="m7 10 2.2 2.2L13.2 8"/>',
  download: '<path d="M10 3v9"/><path d="m6 9 4 4 4-4"/><path d="M3.5 16.5h13"/>',
  clock: '<circle cx="10" cy="10" r="7"/><path d="M10 6v4l2.8 1.8"/>',
  map: '<ellipse cx="10" cy="5" rx="6" ry="2.3"/><path d="M4 5v10c0 1.3 2.7 2.3 6 2.3s6-1 6-2.3V5M4 10c0 1.3 2.7 2.3 6 2.3s6-1 6-2.3"/>',
  file: '<path d="M5 2.5h6.5L15.5 6.5v11H5z"/><path d="M11 2.5V7h4.5"/>',
  warning: '<path d="M10 3 18 17H2z"/><path d="M10 8.5v4M10 14.8v.2"/>',
  lock: '<rect x="4" y="9" width="12" height="8" rx="1.5"/><path d="M6.5 9V6.5a3.5 3.5 0 0 1 7 0V9"/>',
  copy: '<rect x="7" y="7" width="10" height="10" rx="1.5"/><path d="M13 7V4.5A1.5 1.5 0 0 0 11.5 3h-7A1.5 1.5 0 0 0 3 4.5v7A1.5 1.5 0 0 0 4.5 13H7"/>',
  firewall: '<path d="M2.5 4h15v12h-15zM2.5 8h15M2.5 12h15M7.5 4v4M12.5 8v4M7.5 12v4"/>',
  balance: '<path d="M3 10h5M8 10l5-5h4M8 10h9M8 10l5 5h4"/>',
  observe:
    '<path d="M2 10s3-5.5 8-5.5S18 10 18 10s-3 5.5-8 5.5S2 10 2 10z"/><circle cx="10" cy="10" r="2.4"/>',
  protect: '<path d="M10 2.5 16.5 5v5c0 4-2.8 6.4-6.5 7.5C6.3 16.4 3.5 14 3.5 10V5z"/>',
  node: '<rect x="3" y="3.5" width="14" height="5.5" rx="1"/><rect x="3" y="11" width="14" height="5.5" rx="1"/><path d="M6 6.3h.1M6 13.8h.1"/>',
  feed: '<path d="M4 16h.1M4 10.5a5.5 5.5 0 0 1 5.5 5.5M4 5a11 11 0 0 1 11 11"/>',
} as const

/** A drawing that goes by a name. */
export type IconName = keyof typeof DRAWINGS

/** An icon that stands beside the words that say the same; with `label` it speaks for itself. */
export const icon = (name: IconName, label?: string): Html =>
  html`<svg class="icon" viewBox="0 0 20 20" width="20" height="20" ${
    label === undefined ? trusted('aria-hidden="true"') : html`role="img" aria-label="${label}"`
  }>${trusted(DRAWINGS[name])}</svg>`
