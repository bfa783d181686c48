/** The accuracy lines of `bench/equivalence.ts`: stage 5 with the native reference against exact inner products. */
import { RIGHT } from "../bench/equivalence/levels.ts";
import { testLevels } from "./level-tests.ts";

testLevels(RIGHT);
