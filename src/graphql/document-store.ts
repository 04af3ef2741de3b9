import { type DocumentNode, visit } from 'graphql'
import { LRUCache } from 'lru-cache'

/** Validated documents, the last used, within a number of bytes of heap; for Apollo. */
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
 * Frees the tokens that a document was parsed from, which its locations hold, comments included: up to 50 times the size of the source.
 * Errors need the positions only.
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

/** Measured on documents that were made to take the most, rounded up: strings full of escapes, and fields within fields. */
const bytesPerCharacter = 12
const bytesPerNode = 250
