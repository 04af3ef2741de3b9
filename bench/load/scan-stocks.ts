const idStart = '"id":"product_'
const stockStart = '"stock":'

/**
 * Calls `onStock` with the number and the stock of every product in the JSON of an answer, and returns how many there are. Searches instead
 * of parsing: the stock of a product follows its id, and nothing else in an answer looks like them.
 */
export function scanStocks(json: string, onStock: (product: number, stock: number) => void): number {
  let count = 0
  let position = json.indexOf(idStart)
  while (position >= 0) {
    const stockAt = json.indexOf(stockStart, position)
    if (stockAt < 0) break
    onStock(readDigits(json, position + idStart.length), readDigits(json, stockAt + stockStart.length))
    count += 1
    position = json.indexOf(idStart, stockAt)
  }
  return count
}

function readDigits(text: string, from: number): number {
  let value = 0
  for (let position = from; ; position += 1) {
    const digit = text.charCodeAt(position) - zero
    if (!(digit >= 0 && digit <= 9)) return value
    value = 10 * value + digit
  }
}

const zero = '0'.charCodeAt(0)
