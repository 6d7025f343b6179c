// One thing that doctor has looked at.

export interface Finding {
  what: string
  /** null: not good, but works */
  ok: boolean | null
  says: string
  /** what to do; empty where nothing is to be done */
  advice: string
}

export const fine = (what: string, says: string): Finding => ({ what, ok: true, says, advice: '' })
