/** Every line that `bench/equivalence.ts` prints with an allowed value is a test here, but for the accuracy. */
import { SAME } from "../bench/equivalence/levels.ts";
import { testLevels } from "./level-tests.ts";

testLevels(SAME);
