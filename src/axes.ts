/**
 * The index letters of every array in the program. An array's suffix lists its axes in memory order, last fastest:
 * `dh_ieo`, `h_impb`, `response_dpe`. Sizes are `n_i`, loop variables the letter itself.
 *
 * | letter | axis                                                             |
 * |--------|------------------------------------------------------------------|
 * | i      | intrinsic sample (a waveform of the bank)                        |
 * | e      | extrinsic sample (sky position, polarization angle, arrival time)|
 * | o      | orbital phase                                                    |
 * | d      | detector                                                         |
 * | m      | azimuthal mode                                                   |
 * | M      | pair of modes m <= m', in the order of `modePairs`               |
 * | p, P   | polarization: 0 plus, 1 cross                                    |
 * | b      | frequency bin of relative binning                                |
 * | f      | frequency of the FFT grid                                        |
 * | t      | time                                                             |
 * | k      | difference m' - m of a pair of modes                             |
 * | q      | point of a quasi-Monte Carlo sequence                            |
 */

/** The pairs (first, second) of mode positions with first <= second, in row order: (0,0) (0,1) ... (1,1) ... */
export function modePairs(n_m: number): [number, number][] {
  const pairs: [number, number][] = [];
  for (let m = 0; m < n_m; m++) for (let m2 = m; m2 < n_m; m2++) pairs.push([m, m2]);
  return pairs;
}

/** The distinct |m - m'|, ascending, 0 first. */
export function modeDifferences(mArr: readonly number[]): number[] {
  const all = modePairs(mArr.length).map(([a, b]) => Math.abs(mArr[a] - mArr[b]));
  return [...new Set(all)].sort((a, b) => a - b);
}
