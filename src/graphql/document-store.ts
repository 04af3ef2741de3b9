import { type DocumentNode, visit } from 'graphql'
import { LRUCache } from 'lru-cache'

/** The store in which Apollo caches validated documents. It is an LRU cache with a maximum number of estimated heap bytes. */
export class DocumentStore {
  private readonly documents: LRUCache<string, DocumentNode>

  constructor(maxBytes: number) {
    this.documents = new LRUCache({ maxSize: maxBytes })
  }

  async get(key: string): Promise<DocumentNode | undefined> {
    return this.documents.get(key)
  }

  async set(key: string, document: DocumentNode): Promise<void> {
    dropTokens(document)
    const sourceLength = document.loc?.source.body.length ?? 0
    const size = bytesPerCharacter * (sourceLength + key.length) + bytesPerNode * countNodes(document)
    this.documents.set(key, document, { size })
  }

  async delete(key: string): Promise<boolean> {
    return this.documents.delete(key)
  }
}

/**
 * Removes the tokens, including comments, that the locations of a document refer to. The tokens take up to 50 times the size of
 * the source, and error messages need only the positions.
 */
export function dropTokens(document: DocumentNode): void {
  visit(document, {
    enter({ loc }) {
      if (loc) Object.assign(loc, { startToken: undefined, endToken: undefined })
    },
  })
}

export function countNodes(document: DocumentNode): number {
  let count = 0
  visit(document, {
    enter() {
      count += 1
    },
  })
  return count
}

/**
 * The following two values are rounded up from measurements of the documents that take the most memory: strings full of escapes,
 * and nested fields.
 */
const bytesPerCharacter = 12
const bytesPerNode = 250
