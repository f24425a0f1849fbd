import { InvalidArgumentError } from "commander";

/** Makes what reads an option's whole number between two bounds; anything else is wrong usage. */
export function numberWithin(from: number, to: number): (text: string) => number {
  return (text) => {
    const number = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
    if (number >= from && number <= to) return number;
    throw new InvalidArgumentError(`Give a whole number from ${from} to ${to}.`);
  };
}
