import { createHash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { EntryId, Invalidation, Namespace, Parameters } from './namespace.js'

/** Builds the keys of the store. The key of a generation is a prefix of the keys of its entries. */
export class Keys {
  private readonly root: string
  /**
   * Keys of the namespace generations by name of the namespace. They are kept because every lookup needs one of them, and there
   * are few namespaces.
   */
  private readonly namespaceKeys = new Map<string, string>()

  constructor(prefix: string, version: string) {
    this.root = `${prefix}:${version}`
  }

  entry(namespace: Namespace<unknown>, id: EntryId): string {
    if (typeof id === 'string') return `${this.namespaceGeneration(namespace)}:${escapeId(id)}`
    return `${this.listGeneration(namespace, id.list)}:${hashParameters(id.parameters)}`
  }

  namespaceGeneration(namespace: Pick<Namespace<unknown>, 'name'>): string {
    const known = this.namespaceKeys.get(namespace.name)
    if (known !== undefined) return known
    const key = `${this.root}:${namespace.name}`
    this.namespaceKeys.set(namespace.name, key)
    return key
  }

  listGeneration(namespace: Namespace<unknown>, list: string): string {
    return `${this.namespaceGeneration(namespace)}:${escapeId(list)}`
  }

  /** Returns the keys whose removal makes the invalidated entries unreadable. */
  invalidationKeys(namespace: Namespace<unknown>, invalidation: Invalidation): string[] {
    if (invalidation === 'all') return [this.namespaceGeneration(namespace)]
    if ('lists' in invalidation) return invalidation.lists.map((list) => this.listGeneration(namespace, list))
    return invalidation.ids.map((id) => this.entry(namespace, id))
  }

  /**
   * Returns the namespace and the id or list of a key. Returns null if the id was hashed, or if the key has neither an id nor a
   * list.
   */
  parse(key: string): KeyParts | null {
    if (!key.startsWith(`${this.root}:`)) return null
    const [namespace, part] = key.slice(this.root.length + 1).split(':')
    if (namespace === undefined || part === undefined || part.startsWith(hashMark)) return null
    try {
      return { namespace, idOrList: decodeURIComponent(part) }
    } catch {
      return null
    }
  }

  /** The prefix of all keys of this cache */
  get keyPrefix(): string {
    return this.root
  }

  /**
   * The key that holds the registration of the store. Caches with different namespaces use different registration keys, because
   * each cache invalidates only its own namespaces.
   */
  registration(namespaces: readonly string[]): string {
    const hash = createHash('sha256')
      .update([...namespaces].sort().join('\n'))
      .digest('hex')
      .slice(0, 16)
    return `${this.root}:registration:${hash}`
  }

  counters(): string {
    return `${this.root}:counters`
  }
}

export interface KeyParts {
  namespace: string
  /** The id of an entry, or the name of a list */
  idOrList: string
}

/** Returns 16 hexadecimal digits that do not depend on the order of the parameters. */
function hashParameters(parameters: Parameters): string {
  const text = JSON.stringify(Object.entries(parameters).sort(([a], [b]) => (a < b ? -1 : 1)))
  if (text.length > maxPartLength) return hashText(text)
  const known = hashes.get(text)
  if (known !== undefined) return known
  const hash = hashText(text)
  hashes.set(text, hash)
  return hash
}

function hashText(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16)
}

/** Hashes by text of the parameters, because most requests use the same few parameters, such as those of a first page */
const hashes = new LRUCache<string, string>({ max: 1_000 })

/**
 * Escapes colons, so that a list named "a:b" is not mistaken for entry "b" of list "a", and hashes a long id, so that the input
 * of a client cannot make a key arbitrarily long.
 */
function escapeId(id: string): string {
  if (id.length > maxPartLength) return hashId(id)
  if (plainId.test(id)) return id
  const escaped = encodeURIComponent(id.toWellFormed())
  return escaped.length > maxPartLength ? hashId(id) : escaped
}

function hashId(id: string): string {
  return hashMark + createHash('sha256').update(id).digest('hex')
}

const plainId = /^[\w.-]+$/
/** The first character of a hashed id. It does not occur in an escaped id. */
const hashMark = '='
/** Maximum length of an escaped id in a key: 100 characters of any script fit. */
const maxPartLength = 1_024
