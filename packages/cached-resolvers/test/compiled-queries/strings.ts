/** Strings that are easily serialized wrongly. */
export const trickyStrings = [
  '',
  'plain',
  '"quoted" and \\ backslashed',
  'line\nfeed, tab\t, bell\u0007, nul\u0000, delete\u007f',
  'separators \u2028 and \u2029',
  'a lone half \ud83d in the middle',
  '\udc00\ud800',
  'a whole pair \u{1f600}, ümlaut, 漢字',
  '</script><!-- \u0085',
  '__proto__',
  'null',
] as const

/** The strings that a document may contain: those without lone surrogates. */
export const documentStrings = trickyStrings.filter((text) => !/\p{Surrogate}/u.test(text))
