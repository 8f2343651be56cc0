import { LIMITS } from '../../domain/limits.ts'
import type { DownloadHistory } from '../../domain/search.ts'
import { type Html, html } from '../html.ts'
import { counted, grouped } from '../text.ts'

const DAY_MS = 86_400_000
/** Units of the drawing: of a day, of the gap behind it, of the highest bar. */
const [BAR, GAP, HEIGHT] = [3, 1, 56] as const

/** Downloads by day (UTC) up to `now`, the oldest first, days without any among them. */
export function lastDays({ days }: DownloadHistory, now: Date): { day: string; count: number }[] {
  const counts = new Map(days.map(({ day, count }) => [day, count]))
  return Array.from({ length: LIMITS.chart_days }, (_, at) => {
    const day = new Date(now.getTime() - (LIMITS.chart_days - 1 - at) * DAY_MS).toISOString().slice(0, 10)
    return { day, count: counts.get(day) ?? 0 }
  })
}

/** A chart of downloads by day, with the same as a table. */
export function downloadsChart(history: DownloadHistory, now: Date): Html {
  const days = lastDays(history, now)
  const recent = days.reduce((sum, { count }) => sum + count, 0)
  const busy = days.filter(({ count }) => count > 0)
  const said = html`<p class="quiet">${counted(history.total, 'download')} in all, ${grouped(recent)} in the last ${LIMITS.chart_days} days.</p>`
  if (recent === 0) return said
  const most = Math.max(...days.map(({ count }) => count))
  const width = days.length * (BAR + GAP) - GAP
  const bars = days.map(({ day, count }, at) => {
    if (count === 0) return undefined
    const height = Math.max(1, Math.round((count / most) * HEIGHT * 10) / 10)
    return html`<rect x="${at * (BAR + GAP)}" y="${HEIGHT - height}" width="${BAR}" height="${height}"><title>${day}: ${grouped(count)}</title></rect>`
  })
  return html`<figure class="downloads">
<svg viewBox="0 0 ${width} ${HEIGHT + 1}" role="img" aria-labelledby="downloads-title downloads-desc"><title id="downloads-title">Downloads by day</title><desc id="downloads-desc">${days[0]?.day} to ${days.at(-1)?.day}, at most ${grouped(most)} a day.</desc><path class="ground" d="M0 ${HEIGHT + 0.5}h${width}"/>${bars}</svg>
<figcaption><span>${days[0]?.day}</span><span>${days.at(-1)?.day}</span></figcaption>
</figure>
${said}
<details><summary>The same as a table</summary><div class="scroll" tabindex="0" role="region" aria-label="Downloads by day"><table class="narrow-table"><thead><tr><th scope="col">Day</th><th scope="col" class="number">Downloads</th></tr></thead><tbody>${busy
    .reverse()
    .map(
      ({ day, count }) => html`<tr><td>${day}</td><td class="number">${grouped(count)}</td></tr>`,
    )}</tbody></table></div></details>`
}
