import type { Page } from 'playwright-core'
import { expect } from 'vitest'

/** Expects that every visible text of the page has the contrast that WCAG 2.2 (AA) demands of small text. */
export async function expectReadableText(page: Page): Promise<void> {
  const texts = await page.evaluate<Text[]>(collect)
  expect(texts.length).toBeGreaterThan(5)
  const unreadable = texts
    .map(({ text, color, background }) => ({ text, contrast: contrast(parse(color), parse(background)) }))
    .filter(({ contrast }) => contrast < 4.5)
  expect(unreadable).toEqual([])
}

interface Text {
  text: string
  /** As computed by the browser */
  color: string
  background: string
}

/** Runs in the page, whose types this project does not have. */
const collect = `(() => {
  const isVisible = (element) => element.checkVisibility() && element.getClientRects().length > 0
  const backgroundOf = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const { backgroundColor } = getComputedStyle(at)
      if (backgroundColor !== 'rgba(0, 0, 0, 0)') return backgroundColor
    }
    return 'rgb(255, 255, 255)'
  }
  return [...document.querySelectorAll('body *')]
    .filter((element) => isVisible(element) && [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim()))
    .map((element) => ({
      text: element.textContent.trim().slice(0, 40),
      color: getComputedStyle(element).color,
      background: backgroundOf(element),
    }))
})()`

type Rgb = readonly [number, number, number]

function parse(color: string): Rgb {
  const [, red, green, blue] = /^rgb\((\d+), (\d+), (\d+)\)$/.exec(color) ?? []
  if (blue === undefined) throw new Error(`Not an opaque color: ${color}`)
  return [Number(red), Number(green), Number(blue)]
}

/** https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio */
function contrast(one: Rgb, other: Rgb): number {
  const [low = 0, high = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b)
  return (high + 0.05) / (low + 0.05)
}

function luminance(color: Rgb): number {
  const [red = 0, green = 0, blue = 0] = color.map((value) => {
    const share = value / 255
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}
