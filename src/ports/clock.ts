/** The time of day; tests give their own. */
export type Clock = () => Date
