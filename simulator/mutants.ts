/** One guard of the engine, switched off: `find`, which stands exactly once in `file`, is replaced. */
export interface Mutant {
  name: string
  file: string
  find: string
  replace: string
}

export const mutants: readonly Mutant[] = []
