/** Hyperparameters of the surrogate: found by steps of one at a time that raise the posterior density. */
import {
  fitGaussianProcess,
  type GaussianProcess,
  type Hyperparameters,
  type Observations,
} from "./gaussian-process.ts";

/** What is thought likely before anything is measured: each hyperparameter within a factor of the middle. */
export interface Likely {
  readonly middle: Hyperparameters;
  /** Standard deviation of the logarithm to base 2. */
  readonly octaves: number;
}

/** Trials for one new observation: an n x n matrix is factorised in each. */
const MOST_TRIALS = 24;
const FEWEST_TRIALS = 2;
const WORK = 1e7;
/** Factor of a trial. */
const STEP = Math.SQRT2;

/** A chain of trials that goes on with each new observation, its state given by what it has been shown alone. */
export class HyperparameterChain {
  #at: Hyperparameters | undefined;
  #trial = 0;

  /** The process of the best hyperparameters found so far. */
  fit(data: Observations, likely: Likely): GaussianProcess {
    const score = (at: Hyperparameters) => {
      const process = fitGaussianProcess(data, at);
      return { process, value: process.logLikelihood + logPrior(at, likely) };
    };
    let at = this.#at ?? likely.middle;
    let best = score(at);
    const n = data.y.length;
    const trials = Math.max(FEWEST_TRIALS, Math.min(MOST_TRIALS, Math.round(WORK / n ** 3)));
    for (let k = 0; k < trials; k++) {
      const other = stepped(at, this.#trial++);
      const trial = score(other);
      if (trial.value > best.value) {
        at = other;
        best = trial;
        // The next one goes on in this direction.
        this.#trial--;
      }
    }
    this.#at = at;
    return best.process;
  }
}

function toVector({ lengths, scale, noise }: Hyperparameters): number[] {
  return [...lengths, scale, noise];
}

/** Trial 2 p raises hyperparameter p, 2 p + 1 lowers it. */
function stepped(at: Hyperparameters, trial: number): Hyperparameters {
  const values = toVector(at);
  const p = (trial >> 1) % values.length;
  values[p] *= trial % 2 === 0 ? STEP : 1 / STEP;
  return { lengths: values.slice(0, -2), scale: values.at(-2)!, noise: values.at(-1)! };
}

function logPrior(at: Hyperparameters, { middle, octaves }: Likely): number {
  const centre = toVector(middle);
  return toVector(at).reduce((sum, value, p) => sum - 0.5 * (Math.log2(value / centre[p]) / octaves) ** 2, 0);
}
