import { publicId } from 'cached-resolvers'
import { Random } from '../../torture/random.js'
import { type QueryName, requestBody, shopSize, stockMutationBody } from '../harness/queries.js'
import { zipf } from '../harness/zipf.js'

/** A read, or a write of the product by a mutation or by SQL */
export type Operation = { kind: 'read'; request: Buffer } | { kind: 'mutation' | 'sql'; product: number }

const writeShare = 0.05
const sqlShareOfWrites = 0.1
/** Q1, Q2 and Q3 at 60:30:10, each over all ids of its kind */
const reads: readonly { query: QueryName; upTo: number; kind: 'product' | 'order' | 'user'; count: number }[] = [
  { query: 'Q1', upTo: 0.6, kind: 'product', count: shopSize.products },
  { query: 'Q2', upTo: 0.9, kind: 'order', count: shopSize.orders },
  { query: 'Q3', upTo: 1, kind: 'user', count: shopSize.users },
]

/**
 * Reads and writes in random order, with the popularity of Zipf's law: id 1 of each kind is the most popular. So the popular users are those
 * with many orders, and the popular products are also the ones that are written most often.
 */
export class MixedTraffic {
  private readonly pickers = reads.map(({ count }) => zipf(count))
  private readonly pickProduct = zipf(shopSize.products)
  /** Prepared requests by query and number */
  private readonly requests: Buffer[][] = reads.map(() => [])

  constructor(private readonly url: URL) {}

  /** Equal seeds give equal operations, if `isBusy` answers the same. Does not write a busy product, but another one. */
  operations(seed: number, isBusy: (product: number) => boolean): () => Operation {
    const random = new Random(seed, 'mixed')
    return () => {
      if (!random.chance(writeShare)) return { kind: 'read', request: this.pickRead(random) }
      const kind = random.chance(sqlShareOfWrites) ? 'sql' : 'mutation'
      for (;;) {
        const product = 1 + this.pickProduct(random.next())
        if (!isBusy(product)) return { kind, product }
      }
    }
  }

  mutation(product: number, stock: number): Buffer {
    return httpRequest(this.url, stockMutationBody(publicId('product', product), stock))
  }

  private pickRead(random: Random): Buffer {
    const point = random.next()
    const index = reads.findIndex(({ upTo }) => point < upTo)
    const { query, kind } = reads[index] as (typeof reads)[number]
    const number = 1 + (this.pickers[index] as (random: number) => number)(random.next())
    const requests = this.requests[index] as Buffer[]
    requests[number] ??= httpRequest(this.url, requestBody(query, publicId(kind, number), { withStock: true }))
    return requests[number]
  }
}

function httpRequest({ host, pathname }: URL, body: string): Buffer {
  const headers = ['content-type: application/json', 'accept: application/json', `content-length: ${Buffer.byteLength(body)}`]
  return Buffer.from(`POST ${pathname} HTTP/1.1\r\nhost: ${host}\r\n${headers.join('\r\n')}\r\n\r\n${body}`)
}
