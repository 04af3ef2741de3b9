import { CombinedGraphQLErrors } from '@apollo/client'

// The API has amounts without a currency.
export const { format: money } = new Intl.NumberFormat('en', { style: 'currency', currency: 'EUR' })

/** A poster in place of a photograph, which the API does not have. The colour follows from the name. */
export function Picture({ name }: { name: string }) {
  const hue = [...name].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 360, 0)
  const color = `oklch(0.6 0.13 ${hue})`
  return (
    <svg viewBox="0 0 50 50" aria-hidden="true" style={{ background: `oklch(from ${color} l c h / 18%)` }} fill={color}>
      <circle cx={22 + hue / 30} cy="19" r="14" opacity="0.5" />
      <text x="5" y="45" fontSize="19">
        {name[0]}
      </text>
    </svg>
  )
}

export function Stock({ units }: { units: number }) {
  return <small aria-live="polite">{units > 0 ? `${units} in stock` : 'Sold out'}</small>
}

/** A GraphQL error has a message of the server. Any other one is about the connection. */
export const describe = (error: Error) => (CombinedGraphQLErrors.is(error) ? error.message : 'The shop cannot be reached')

/** In place of data: still loading, or why there is none */
export function Pending({ error, retry }: { error: Error | undefined; retry: () => unknown }) {
  if (!error) return <p aria-busy="true">Loading</p>
  return (
    <article role="alert">
      <p>{describe(error)}</p>
      <button type="button" onClick={() => void retry()}>
        Try again
      </button>
    </article>
  )
}
