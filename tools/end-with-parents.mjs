import { closeSync, openSync, readFileSync } from 'node:fs'
import { devNull } from 'node:os'
import { isatty } from 'node:tty'

const CHECK_MS = 250

/** Takes two ways of being left alone for a SIGTERM, so that nothing of ours, PostgreSQL above all, runs on unattended. */
export function endWithParents() {
  endWithNpm()
  endWithTerminal()
}

/** npm hands a signal on to the shell that it runs scripts in, and many shells die of it without telling their child. */
function endWithNpm() {
  // Anyone who starts us by hand may well leave us running.
  if (!process.env.npm_lifecycle_event) return
  const parent = process.ppid
  const timer = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(timer)
    terminate()
  }, CHECK_MS)
  timer.unref()
}

/** A closed terminal; under nohup we stay. What was to be printed there goes nowhere: a logger may retry a failing write forever. */
function endWithTerminal() {
  if (isHangupIgnored()) return
  const terminals = [1, 2].filter((descriptor) => isatty(descriptor))
  process.once('SIGHUP', () => {
    for (const descriptor of terminals) {
      closeSync(descriptor)
      openSync(devNull, 'w') // takes the lowest free number, the one just closed
    }
    terminate()
  })
}

function terminate() {
  process.kill(process.pid, 'SIGTERM')
}

/** Bit 0 of SigIgn is SIGHUP. A handler of ours would undo what nohup did. */
function isHangupIgnored() {
  try {
    const mask = /^SigIgn:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))
    return mask !== null && (BigInt(`0x${mask[1]}`) & 1n) === 1n
  } catch {
    return false
  }
}
