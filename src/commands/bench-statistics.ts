// How sure a mean of few measurements is. Rates vary by factors, so all of this is done on their logarithms.

/** Student's t for so much between two tails, by degrees of freedom from 1, and the normal distribution's, which it comes near to. */
interface Sureness {
  t: number[];
  normal: number;
}
const sure95: Sureness = {
  normal: 1.96,
  t: [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145, 2.131],
};
/** For the one that looks best of five: chance, too, has five tries, so that each may fool one time in a hundred. */
const sure95OfFive: Sureness = {
  normal: 2.576,
  t: [63.657, 9.925, 5.841, 4.604, 4.032, 3.707, 3.499, 3.355, 3.25, 3.169, 3.106, 3.055, 3.012, 2.977, 2.947],
};

export interface Estimate {
  mean: number;
  /** The 95 % confidence interval. */
  low: number;
  high: number;
}

/** The geometric mean of positive numbers. One number alone says nothing of how sure it is: its interval is all there is. */
export function estimate(values: readonly number[], { t, normal }: Sureness = sure95): Estimate {
  const logs = values.map(Math.log);
  const mean = logs.reduce((sum, log) => sum + log, 0) / logs.length;
  if (logs.length < 2) return { mean: Math.exp(mean), low: 0, high: Infinity };
  const variance = logs.reduce((sum, log) => sum + (log - mean) ** 2, 0) / (logs.length - 1);
  const margin = (t[logs.length - 2] ?? normal + (1.28 * normal) / logs.length) * Math.sqrt(variance / logs.length);
  return { mean: Math.exp(mean), low: Math.exp(mean - margin), high: Math.exp(mean + margin) };
}

export interface Comparison {
  /** The buffer size that was fastest. */
  best: number;
  /** The default's rate as a share of the best's, from pairs measured in the same round. */
  share: Estimate;
  verdict: 'default' | 'tune' | 'unsure';
}

/** A default that is this close to the best is not worth a thought. */
const closeEnough = 0.95;

/**
 * `rates` holds, by buffer size, the rates of each round. `default`: the default is as good as the best, or so close that
 * tuning is not worth it; `tune`: another is faster, by more than chance; `unsure`: it may be, but the measurements vary too much.
 */
export function compare(rates: ReadonlyMap<number, readonly number[]>, standard: number): Comparison {
  const own = rates.get(standard)!;
  let best = standard;
  let share: Estimate = { mean: 1, low: 1, high: 1 };
  for (const [size, others] of rates) {
    if (size === standard) continue;
    const paired = estimate(
      own.map((rate, round) => rate / others[round]!),
      sure95OfFive,
    );
    if (paired.mean < share.mean) [best, share] = [size, paired];
  }
  const verdict = share.mean >= closeEnough ? 'default' : share.high < 1 ? 'tune' : 'unsure';
  return { best, share, verdict };
}
