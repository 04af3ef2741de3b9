import { Stream, StreamEndedError } from './stream.js'

/**
 * The streams of this process by topic. A topic is a public id: the id of a product for changes of the product, or the id of a
 * user for new orders of the user.
 */
export class Hub {
  private readonly byTopic = new Map<string, Set<Stream<string>>>()
  private readonly streams = new Set<Stream<string>>()

  constructor(private readonly maxQueued: number) {}

  get streamCount(): number {
    return this.streams.size
  }

  hasSubscribers(topic: string): boolean {
    return this.byTopic.has(topic)
  }

  /** Returns the subscribed topics with this prefix. */
  topicsOf(prefix: string): string[] {
    return [...this.byTopic.keys()].filter((topic) => topic.startsWith(prefix))
  }

  subscribe(topics: readonly string[]): Stream<string> {
    const stream: Stream<string> = new Stream({ maxQueued: this.maxQueued, onEnd: () => this.remove(topics, stream) })
    this.streams.add(stream)
    for (const topic of topics) this.byTopic.set(topic, (this.byTopic.get(topic) ?? new Set()).add(stream))
    return stream
  }

  /** Pushes the id to every stream of the topic, and returns the number of these streams. */
  publish(topic: string, id: string): number {
    const streams = this.byTopic.get(topic)
    for (const stream of streams ?? []) stream.push(id, id)
    return streams?.size ?? 0
  }

  /** Fails all streams, because changes may have been missed. */
  failAll(): void {
    fail(this.streams)
  }

  /** Fails the streams of all topics with this prefix. */
  failTopics(prefix: string): void {
    for (const topic of this.topicsOf(prefix)) fail(this.byTopic.get(topic) ?? [])
  }

  private remove(topics: readonly string[], stream: Stream<string>): void {
    this.streams.delete(stream)
    for (const topic of topics) {
      const streams = this.byTopic.get(topic)
      streams?.delete(stream)
      if (streams?.size === 0) this.byTopic.delete(topic)
    }
  }
}

/** Iterates over a copy, because a stream that fails removes itself from the set. */
function fail(streams: Iterable<Stream<string>>): void {
  for (const stream of [...streams]) stream.fail(new StreamEndedError('changes missed'))
}
