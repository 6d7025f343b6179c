// What keeps the two folders alike: a sync client, or a program that is run now and then.

export interface Client {
  readonly name: string
  /** From now on neither side sees what the other does. */
  part(): Promise<void>
  /** Begins to bring the folders together. */
  meet(): Promise<void>
  /** Waits until they are alike and nothing is left to do; what could not be done, otherwise. */
  settled(patience: number): Promise<string | null>
}
