import { createHash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { EntryId, Invalidation, Namespace, Parameters } from './namespace.js'

/** Where things lie in the store. A generation stands at the beginning of the keys that it governs. */
export class Keys {
  private readonly root: string
  /** By name of namespace: there are few, and every lookup needs them. */
  private readonly generations = new Map<string, string>()

  constructor(prefix: string, version: string) {
    this.root = `${prefix}:${version}`
  }

  entry(namespace: Namespace<unknown>, id: EntryId): string {
    if (typeof id === 'string') return `${this.namespaceGeneration(namespace)}:${escapeId(id)}`
    return `${this.listGeneration(namespace, id.list)}:${hashParameters(id.parameters)}`
  }

  namespaceGeneration(namespace: Pick<Namespace<unknown>, 'name'>): string {
    const known = this.generations.get(namespace.name)
    if (known !== undefined) return known
    const key = `${this.root}:${namespace.name}`
    this.generations.set(namespace.name, key)
    return key
  }

  listGeneration(namespace: Namespace<unknown>, list: string): string {
    return `${this.namespaceGeneration(namespace)}:${escapeId(list)}`
  }

  /** The keys that have to go so that nothing of this can be read any more. */
  invalidated(namespace: Namespace<unknown>, what: Invalidation): string[] {
    if (what === 'all') return [this.namespaceGeneration(namespace)]
    if ('lists' in what) return what.lists.map((list) => this.listGeneration(namespace, list))
    return what.ids.map((id) => this.entry(namespace, id))
  }

  /** The name of the namespace, and the id or list, that this is a key of; null for keys of anything else, and of what was hashed. */
  parse(key: string): KeyParts | null {
    if (!key.startsWith(`${this.root}:`)) return null
    const [namespace, part] = key.slice(this.root.length + 1).split(':')
    if (namespace === undefined || part === undefined || part.startsWith(hashMark)) return null
    try {
      return { namespace, part: decodeURIComponent(part) }
    } catch {
      return null
    }
  }

  /** What all keys of this cache begin with */
  get space(): string {
    return this.root
  }

  /** Where the store holds its registration. Caches with other namespaces are registered apart, since each gives up only its own. */
  marker(namespaces: readonly string[]): string {
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
  /** An id, or the name of a list */
  part: string
}

/** Equal parameters give equal hashes, in whatever order they are named. 16 hexadecimal digits. */
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

/** Few are asked for again and again: the first page of whatever. */
const hashes = new LRUCache<string, string>({ max: 1_000 })

/** Keeps a list called "a:b" from being taken for entry "b" of list "a", and a key from being as long as whatever a client sent. */
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
/** Is in no escaped id. */
const hashMark = '='
/** Of an id in a key. 100 characters of any script fit, escaped. */
const maxPartLength = 1_024
