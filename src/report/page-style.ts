/** The page's style: light and dark by the reader's setting, and for paper. */
export const PAGE_STYLE = `
:root {
  color-scheme: light dark;
  --paper: #fdfdfb; --ink: #1d232b; --quiet: #5c6673; --line: #d9dde2; --card: #f4f5f3;
  --own: #2563a8; --own-soft: #8db6dd; --published: #e0a13c; --published-soft: #f3dcae; --sky: #eef2f7; --doubt: #9c3d12;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14181d; --ink: #e4e7ea; --quiet: #9aa5b1; --line: #343c46; --card: #1b2027;
    --own: #7db4ea; --own-soft: #2f5d8c; --published: #d99a3a; --published-soft: #54411d; --sky: #1a2330; --doubt: #f0a070;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 system-ui, "Segoe UI", "Liberation Sans", Arial, sans-serif; }
main { max-width: 66rem; margin: 0 auto; padding: 2.5rem 1.5rem 4rem; }
h1 { font-size: 2.1rem; line-height: 1.2; margin: 0 0 .4rem; letter-spacing: -.01em; }
h2 { font-size: 1.2rem; margin: 2.6rem 0 .7rem; padding-bottom: .25rem; border-bottom: 1px solid var(--line); }
p { margin: .5rem 0; max-width: 46rem; }
.lead { color: var(--quiet); font-size: 1.05rem; }
.note { color: var(--quiet); font-size: .9rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .3rem 1.6rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: baseline; }
thead th { color: var(--quiet); font-weight: 600; font-size: .9rem; }
tbody th { font-weight: 400; }
.answer td { font-size: 1.08rem; white-space: nowrap; }
.errors { display: inline-flex; flex-direction: column; font-size: .68em; line-height: 1.15; vertical-align: middle; margin-left: .25em; }
.unit-name { color: var(--quiet); }
sup, sub { line-height: 0; }
.facts th { color: var(--quiet); min-width: 13rem; }
.histograms { display: grid; grid-template-columns: repeat(auto-fill, minmax(17rem, 1fr)); gap: 1.1rem 1.3rem; margin: 0; padding: 0; }
figure { margin: 0; }
.histograms figure { background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: .6rem .6rem .2rem; }
figcaption { font-size: .9rem; display: flex; justify-content: space-between; gap: .6rem; align-items: baseline; }
figcaption .value { white-space: nowrap; font-variant-numeric: tabular-nums; }
svg { display: block; width: 100%; height: auto; }
svg text { font: 11px system-ui, "Segoe UI", "Liberation Sans", Arial, sans-serif; fill: var(--quiet); }
.skies { display: flex; flex-wrap: wrap; gap: 1.2rem; align-items: center; }
.skies .whole { flex: 2 1 30rem; }
.skies .part { flex: 1 1 16rem; max-width: 20rem; }
.bars { fill: var(--own-soft); stroke: var(--own); stroke-width: 1; stroke-linejoin: round; }
.median { stroke: var(--own); stroke-width: 2; }
.limit { stroke: var(--own); stroke-width: 1.2; stroke-dasharray: 4 3; }
.published { fill: var(--published-soft); }
.published-median { stroke: var(--published); stroke-width: 2; }
.axis { stroke: var(--quiet); stroke-width: 1; }
.tick { text-anchor: middle; }
.unit { text-anchor: end; }
.sky { fill: var(--sky); }
.graticule { fill: none; stroke: var(--line); stroke-width: .8; }
.horizon { fill: none; stroke: var(--quiet); stroke-width: 1; }
.region-90 { fill: var(--own-soft); fill-opacity: .55; stroke: var(--own); stroke-width: 1; stroke-dasharray: 4 2; }
.region-50 { fill: var(--own); fill-opacity: .75; stroke: var(--own); stroke-width: 1; }
.sky-label.below, .sky-label.above { text-anchor: middle; }
.key { display: inline-block; width: 1.5em; height: .75em; vertical-align: baseline; margin: 0 .35em 0 0; border: 1px solid transparent; }
.key.own { background: var(--own-soft); border-color: var(--own); }
.key.other { background: var(--published-soft); border-color: var(--published); }
.key.half { background: var(--own); }
.key.most { background: var(--own-soft); border: 1px dashed var(--own); }
.doubts li { color: var(--doubt); }
.times td { white-space: nowrap; }
.times td:last-child { width: 24rem; padding-right: 0; }
.times { width: 100%; max-width: 46rem; }
.times tr:last-child > * { border-bottom: 0; font-weight: 600; }
.times .length { display: block; height: .7em; background: var(--own-soft); border-left: 2px solid var(--own); }
code { font: .87em ui-monospace, "Liberation Mono", Menlo, monospace; background: var(--card); padding: .1em .3em; border-radius: 3px; overflow-wrap: anywhere; }
pre { background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: .7rem .9rem; overflow-x: auto; }
pre code { background: none; padding: 0; white-space: pre-wrap; }
details summary { cursor: pointer; color: var(--quiet); }
@media print {
  :root {
    --paper: #fff; --ink: #000; --quiet: #444; --line: #bbb; --card: #fff;
    --own: #1d4f88; --own-soft: #9fc0e0; --published: #c98a28; --published-soft: #f3dcae; --sky: #f3f5f8; --doubt: #802f0b;
  }
  body { font-size: 11pt; }
  main { max-width: none; padding: 0; }
  h2 { break-after: avoid; }
  figure, tr, pre { break-inside: avoid; }
  .histograms { grid-template-columns: repeat(3, 1fr); gap: .5rem; }
  .skies .whole { flex: 2 1 20rem; }
  .skies .part { flex: 1 1 10rem; }
  .bars, .region-50, .region-90, .published, .key, .length { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
`;
