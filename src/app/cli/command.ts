/** One command of the operator's tool. It prints to standard output and throws a CliError for what the operator can mend. */
export interface Command {
  /** As it is typed, e.g. `accounts create`. */
  readonly name: string
  /** Arguments and a sentence. */
  readonly usage: string
  run(args: readonly string[]): Promise<void>
}

/** A plain sentence for the operator; the process ends with 1. */
export class CliError extends Error {}

export function print(text: string): void {
  process.stdout.write(`${text}\n`)
}
