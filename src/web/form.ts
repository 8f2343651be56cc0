import type { z } from 'zod'
import { DomainError, type ErrorKind } from '../domain/errors.ts'
import { statusOf } from '../http/problem.ts'
import { type Html, html } from './html.ts'
import type { Elsewhere, Page } from './page.ts'
import { sentence } from './text.ts'

/** A form that was refused: which one of its page, what was typed, and what is wrong, where it is one field, with which. */
export interface Refused {
  readonly form: string
  readonly typed: URLSearchParams
  readonly field: string | undefined
  readonly why: string
  readonly status: number
}

/** What whoever sent a form cannot mend on its page. */
const BEYOND: readonly ErrorKind[] = ['internal', 'kernel', 'environment']

/**
 * Does what a form asks for. What its sender can mend comes back on the page that `again` shows, beside the field where it is
 * about one: `field` is the one that refusals are about which name none. Everything else is thrown on.
 */
export async function attempt(
  { form, typed, field }: { form: string; typed: URLSearchParams; field?: string },
  act: () => Promise<Page | Elsewhere>,
  again: (refused: Refused) => Promise<Page> | Page,
): Promise<Page | Elsewhere> {
  try {
    return await act()
  } catch (thrown) {
    if (!(thrown instanceof DomainError) || BEYOND.includes(thrown.kind)) throw thrown
    const { message, code } = thrown
    const status = statusOf(code)
    // beside its field it need not be named
    const why = thrown.field === undefined ? message : message.slice(thrown.field.length + ': '.length)
    const page = await again({ form, typed, field: thrown.field ?? field, why, status })
    return { ...page, status }
  }
}

/** All values of a field that may stand several times. Throws `invalid_request` with the field's name. */
export function fieldList<T>(form: URLSearchParams, name: string, schema: z.ZodType<T>): T {
  const read = schema.safeParse(form.getAll(name))
  if (read.success) return read.data
  const why = read.error.issues[0]?.message ?? 'does not fit'
  throw new DomainError('invalid_request', `${name}: ${why}`, { field: name })
}

/** How a field of a form is shown. */
interface FieldView {
  readonly name: string
  readonly label: string
  readonly hint?: Html | string
  /** What it holds before anything is typed. */
  readonly value?: string
}

/** A choice of several. */
interface Choice {
  readonly value: string
  readonly label: string
  readonly hint?: string
}

/** The fields of one form of a page: with what was typed, and what is wrong beside the field, when it was refused. */
export function formFields(form: string, refused: Refused | undefined) {
  const mine = refused?.form === form ? refused : undefined
  const idOf = (name: string): string => `${form}-${name}`
  const wrong = (name: string): string | undefined => (mine?.field === name ? mine.why : undefined)
  const typed = ({ name, value = '' }: FieldView): string => mine?.typed.get(name) ?? value
  const attributes = ({ name, hint }: FieldView): Html => {
    const about = [
      hint !== undefined && `${idOf(name)}-hint`,
      wrong(name) !== undefined && `${idOf(name)}-wrong`,
    ]
    const ids = about.filter((id) => id !== false).join(' ')
    return html`id="${idOf(name)}" name="${name}"${ids !== '' && html` aria-describedby="${ids}"`}${wrong(name) !== undefined && html` aria-invalid="true"`}`
  }
  const around = ({ name, label, hint }: FieldView, control: Html): Html =>
    html`<div class="field"><label for="${idOf(name)}">${label}</label>${control}${hint !== undefined && html`<p class="hint" id="${idOf(name)}-hint">${hint}</p>`}${said(name)}</div>`
  const said = (name: string): Html | false => {
    const why = wrong(name)
    return (
      why !== undefined && html`<p class="wrong" id="${idOf(name)}-wrong" dir="auto">${sentence(why)}.</p>`
    )
  }
  return {
    /** What is wrong with the form as a whole. */
    problem: (): Html | false =>
      mine !== undefined &&
      mine.field === undefined &&
      html`<p class="notice bad" role="alert" dir="auto">${sentence(mine.why)}.</p>`,
    text: (view: FieldView & { required?: boolean; most?: number }): Html =>
      around(
        view,
        html`<input ${attributes(view)} type="text" value="${typed(view)}" maxlength="${view.most ?? 200}" autocomplete="off" autocapitalize="none" spellcheck="false"${view.required === true && html` required`}>`,
      ),
    /** What is typed is not shown, and never comes back. */
    secret: (view: FieldView): Html =>
      around(
        view,
        html`<input ${attributes(view)} type="password" autocomplete="off" maxlength="220" required>`,
      ),
    area: (view: FieldView & { rows: number; most: number; code?: boolean }): Html =>
      around(
        view,
        html`<textarea ${attributes(view)} rows="${view.rows}" maxlength="${view.most}" required${view.code === true ? html` class="mono" spellcheck="false" autocomplete="off"` : html` dir="auto"`}>${typed(view)}</textarea>`,
      ),
    select: (view: FieldView, choices: readonly Choice[]): Html =>
      around(
        view,
        html`<select ${attributes(view)}>${choices.map(
          ({ value, label }) =>
            html`<option value="${value}"${value === typed(view) && html` selected`}>${label}</option>`,
        )}</select>`,
      ),
    checks: (view: FieldView & { chosen?: readonly string[] }, choices: readonly Choice[]): Html => {
      const on = mine === undefined ? (view.chosen ?? []) : mine.typed.getAll(view.name)
      return html`<fieldset class="field"><legend>${view.label}</legend>${choices.map(
        ({ value, label, hint }) =>
          html`<label class="check"><input type="checkbox" name="${view.name}" value="${value}"${on.includes(value) && html` checked`}><span><b>${label}</b>${hint !== undefined && html` <small>${hint}</small>`}</span></label>`,
      )}${said(view.name)}</fieldset>`
    },
  }
}

/** Why a form of a page was refused that has no place of its own for that, such as one in a row. */
export const refusalNotice = (form: string, refused: Refused | undefined): Html | false =>
  refused?.form === form && html`<p class="notice bad" role="alert" dir="auto">${sentence(refused.why)}.</p>`

/** A button behind which a form says what it does before it does it; readable and usable without scripts. */
export const confirmForm = ({
  open,
  words,
  action,
  button,
  hidden = {},
  field,
}: {
  open: Html | string
  words: Html | string
  action: string
  button: string
  hidden?: Readonly<Record<string, string>>
  field?: Html
}): Html =>
  html`<details class="confirm"><summary>${open}</summary><form method="post" action="${action}" class="form"><p>${words}</p>${Object.entries(
    hidden,
  ).map(
    ([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`,
  )}${field}<div><button class="danger">${button}</button></div></form></details>`

/** What was done, said once on the page where the browser went afterwards: `?done=` and one of the words of `said`. */
export function doneNotice(query: URLSearchParams, said: Readonly<Record<string, string>>): Html | false {
  const done = query.get('done') ?? ''
  return Object.hasOwn(said, done) && html`<p class="notice" role="status">${said[done]}</p>`
}
