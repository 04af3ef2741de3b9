export type Reply = string | null | Reply[]

interface Read {
  reply: Reply
  /** Where the next one begins */
  end: number
}

/** Just enough of the protocol for client tracking. Throws what the server sent as an error; undefined while it is not complete. */
export function parseReply(text: string, at: number): Read | undefined {
  const lineEnd = text.indexOf('\r\n', at)
  if (lineEnd === -1) return undefined
  const [kind, line, end] = [text[at], text.slice(at + 1, lineEnd), lineEnd + 2]
  if (kind === '-') throw new Error(`Redis answered: ${line}`)
  if (kind === '_') return { reply: null, end }
  if (kind === '$') return parseBulk(text, end, Number(line))
  if (kind === '*' || kind === '>') return parseMany(text, end, Number(line))
  if (kind === '%') return parseMany(text, end, 2 * Number(line))
  return { reply: line, end }
}

function parseBulk(text: string, start: number, length: number): Read | undefined {
  const end = start + length
  return end + 2 > text.length ? undefined : { reply: text.slice(start, end), end: end + 2 }
}

function parseMany(text: string, start: number, count: number): Read | undefined {
  const reply: Reply[] = []
  let end = start
  while (reply.length < count) {
    const part = parseReply(text, end)
    if (!part) return undefined
    reply.push(part.reply)
    end = part.end
  }
  return { reply, end }
}
