import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import process from 'node:process'
import { readHelpOption, runCommand } from '../src/commands/run-command.js'

// npm run check: words that were replaced by standard terms may not come back. What to write instead is beside each.

const usage = `Usage: npm run check
Runs all static checks. This part, tools/check-words.ts, fails if a retired word is used and names its replacement.`

const retired: readonly [RegExp, string][] = [
  [/(?<![\w'’])its(?=\s*(?:=>|[,)\]:?=;]|\.\w))/, 'the noun: entry, options, row ...'],
  [/(?<!way.*|requests\.)\b(?:lane|Lane|teach-lane|the ordinary way)\b/, 'compiled queries, fast path; standard path'],
  [/\b(?:gaveUp|whenGivingUp|RequestCaller|callerOf|waitAs)\b/, 'Cancellation, onCancel'],
  [/\b(?:Wishes|hasWishes|Asking|pastCache)\b/, 'RequestFlags, RequestInfo, bypassCache'],
  [
    /\b(?:AnswersOfTurn|TurnsOptions|goesOnBeingLate|inHaste|lookEveryMs|takeAtOnce)\b/,
    'ResponseBatcher, RequestScheduler, isSustainedOverload ...',
  ],
  [
    /\b(?:Gate|Flights?|disown|KeptEntry|EntryHeld|surelyFreshUntil)\b/,
    'FetchLimiter, InFlightFetches, forget, DecodedEntry, StoredEntry ...',
  ],
  [
    /\b(?:Loadable|atHand|givesOf|callDirectly|Priced|GoneError|rootOf)\b/,
    'PromiseOrValue, peek, paramResolversOf, Cost, DeletedError, rootCause',
  ],
  [
    /\b(?:told-exporter|handed-on|cancellably|subscriptions-elsewhere|without-upgrade|owedSince)\b/,
    'export-error-logger, redispatch, abortable-query, reject-subscriptions, ignore-upgrade, backlogSince',
  ],
  [/\b(?:[Rr]ight[Rr]ate)\b(?!.*[Dd]eprecat)/, 'accuracy'],
  [/\bdear(?:er|est)?\b/i, 'expensive'],
  [/\b(?:[Ww]ho|[Ww]hoever) (?:asks|waits|reads slowly|gives up|has no)\b/, 'the component: the request, the client, the caller'],
]

process.exitCode = await runCommand({ usage, readOptions: readHelpOption, run: checkWords })

async function checkWords(): Promise<number> {
  const checked = ['src', 'packages', 'test', 'tools', 'simulator', 'torture', 'bench', 'examples', 'docs', '*.md', '.ci']
  const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', ...checked], { encoding: 'utf8' })
    .split('\n')
    .filter(
      (file) =>
        existsSync(file) &&
        /\.(ts|js|sql|md|css|sh)$|\.ci\/run$/.test(file) &&
        !/check-words|migrations\/|bench\/results/.test(file),
    )

  const found = files.flatMap((file) =>
    readFileSync(file, 'utf8')
      .split('\n')
      .flatMap((line, index) =>
        retired
          .filter(([word]) => word.test(line))
          .map(([word, instead]) => `${file}:${index + 1} "${word.exec(line)?.[0]}": say ${instead}`),
      ),
  )
  if (found.length > 0) process.stderr.write(`${found.join('\n')}\n${found.length} retired words (tools/check-words.ts)\n`)
  return found.length > 0 ? 1 : 0
}
