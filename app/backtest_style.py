"""The look of a backtest's report: one style sheet, light and dark, for phones, desks and paper. A part of
`backtest`."""

from __future__ import annotations

# Colours have 4.5:1 on their ground for text; lines differ in dash as well as in colour.
STYLE = """
:root {
  color-scheme: light dark;
  --ground: #ffffff; --raised: #f4f6f8; --ink: #1b2430; --faint: #5a6675; --rule: #d5dbe2;
  --engine: #0b57c2; --good: #12703f; --bad: #b3261e; --warn: #7a4a00; --warn-ground: #fff1d6;
  --c0: #9a6a00; --c1: #0f7f86; --c2: #a8329e; --c3: #5f7d1c; --c4: #b4532a; --c5: #6a5acd; --c6: #7a7f87;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #10151c; --raised: #1a212b; --ink: #e6ebf1; --faint: #9aa7b6; --rule: #333e4b;
    --engine: #6cb0ff; --good: #6bd09a; --bad: #ff8a80; --warn: #ffcf7d; --warn-ground: #3a2b0d;
    --c0: #e0b040; --c1: #4fc6cd; --c2: #e58bdc; --c3: #a9cc5c; --c4: #f0976c; --c5: #a99cf5; --c6: #aab2bd;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0 auto; padding: 1rem; max-width: 76rem; background: var(--ground); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; overflow-wrap: break-word;
}
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 .75rem; }
h2 { font-size: 1.25rem; margin: 2.25rem 0 .5rem; padding-top: .5rem; border-top: 1px solid var(--rule); }
h3 { font-size: 1.05rem; margin: 1.5rem 0 .25rem; }
p { margin: .5rem 0; max-width: 46rem; }
a { color: var(--engine); }
ul { padding-left: 1.25rem; max-width: 46rem; }
li { margin: .25rem 0; }
.banner {
  border: 3px solid var(--warn); background: var(--warn-ground); color: var(--warn);
  border-radius: .5rem; padding: .5rem 1rem; margin: 0 0 1rem;
}
.banner strong { display: block; font-size: 2rem; line-height: 1.2; letter-spacing: .06em; }
.facts {
  display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .25rem 1rem; margin: 0 0 1rem;
}
.facts dt, .tiles dt { color: var(--faint); }
.facts dd { margin: 0; }
.verdict {
  font-size: 1.15rem; line-height: 1.45; border-left: 4px solid var(--engine); padding: .25rem 0 .25rem .9rem;
  margin: 1rem 0;
}
.tiles {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .6rem; margin: 1rem 0;
}
.tiles div { background: var(--raised); border-radius: .5rem; padding: .6rem .8rem; }
.tiles dt { font-size: .85rem; line-height: 1.3; }
.tiles dd { margin: 0; font-size: .85rem; line-height: 1.35; }
.tiles b { display: block; font-size: 1.35rem; font-variant-numeric: tabular-nums; }
nav ul {
  display: flex; flex-wrap: wrap; gap: 0 1rem; max-width: none; padding: 0; margin: 1rem 0; list-style: none;
}
nav li { margin: 0; }
nav a { display: inline-block; padding: .3rem 0; }
.note, figcaption, caption { color: var(--faint); font-size: .9rem; }
.scroll {
  overflow-x: auto; width: fit-content; max-width: 100%; margin: .75rem 0; border: 1px solid var(--rule);
  border-radius: .5rem;
}
.scroll:focus-visible { outline: 2px solid var(--engine); }
table { border-collapse: collapse; font-size: .8125rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding: .5rem .6rem; }
caption span { display: inline-block; position: sticky; left: .6rem; max-width: calc(100vw - 3.5rem); }
th, td { padding: .35rem .55rem; text-align: right; white-space: nowrap; border-top: 1px solid var(--rule); }
thead th {
  white-space: normal; min-width: 4.5rem; vertical-align: bottom; color: var(--faint); font-weight: 600;
}
th:first-child {
  position: sticky; left: 0; z-index: 1; text-align: left; background: var(--ground); white-space: normal;
  min-width: 6rem; max-width: 11rem;
}
td.words { white-space: normal; text-align: left; min-width: 14rem; }
.strong th, .strong td { font-weight: 700; background: var(--raised); }
td.good { color: var(--good); font-weight: 700; }
td.bad { color: var(--bad); font-weight: 700; }
figure { margin: 1rem 0; }
figcaption { margin-bottom: .4rem; max-width: 46rem; }
svg { display: block; }
.equity { background: var(--raised); border-radius: .5rem; }
.reliability { width: 100%; height: auto; }
.narrow { max-width: 27rem; }
.line { fill: none; stroke-width: 1.25; vector-effect: non-scaling-stroke; stroke-linejoin: round; }
.line.engine { stroke: var(--engine); stroke-width: 3.5; }
.c0 { stroke: var(--c0); } .c1 { stroke: var(--c1); } .c2 { stroke: var(--c2); } .c3 { stroke: var(--c3); }
.c4 { stroke: var(--c4); } .c5 { stroke: var(--c5); } .c6 { stroke: var(--c6); }
.grid { stroke: var(--rule); stroke-width: 1; }
.zero { stroke: var(--ink); stroke-width: 1.25; }
.diagonal { stroke: var(--ink); stroke-width: 1.25; }
.base { stroke: var(--faint); stroke-width: 1.5; }
.tick { fill: var(--faint); font-size: 12px; }
.equity .tick { paint-order: stroke; stroke: var(--raised); stroke-width: 3px; }
.dot { fill: var(--engine); fill-opacity: .75; stroke: var(--ground); }
.legend {
  display: flex; flex-wrap: wrap; gap: 0 1.1rem; max-width: none;
  list-style: none; padding: 0; margin: .5rem 0;
}
.legend svg { flex: none; }
.legend li { display: flex; align-items: center; gap: .45rem; font-size: .875rem; }
.intervals { list-style: none; padding: 0; margin: 0; max-width: none; font-size: .875rem; }
.intervals li {
  display: grid; grid-template-columns: 14rem minmax(8rem, 1fr) 19rem; gap: .1rem .9rem; align-items: center;
  margin: 0; padding: .3rem 0; border-top: 1px solid var(--rule);
}
.intervals b { font-weight: 600; }
.intervals b, .intervals span, .legend span, .legend li, nav li { min-width: 0; max-width: 100%; }
.range { stroke-width: 3; stroke: var(--faint); }
.point { fill: var(--faint); }
.range.good { stroke: var(--good); } .point.good { fill: var(--good); }
.range.bad { stroke: var(--bad); } .point.bad { fill: var(--bad); }
@media screen and (max-width: 46rem) {
  .facts { grid-template-columns: minmax(0, 1fr); gap: 0; }
  .facts dd { margin-bottom: .5rem; }
  .tiles { grid-template-columns: repeat(2, minmax(0, 1fr)); }
  .intervals li { display: flex; flex-wrap: wrap; justify-content: space-between; }
  .intervals svg { order: 3; flex-basis: 100%; }
}
@media print {
  :root {
    --ground: #ffffff; --raised: #f4f6f8; --ink: #000000; --faint: #444444; --rule: #bbbbbb;
    --engine: #0b57c2; --good: #12703f; --bad: #b3261e; --warn: #000000; --warn-ground: #ffffff;
  }
  html { font-size: 11px; }
  body { font-size: 11px; max-width: none; padding: 0; }
  nav { display: none; }
  .scroll { overflow: visible; border: 0; }
  table { font-size: 8px; }
  th, td, thead th { padding: .2rem; white-space: normal; min-width: 0; }
  th:first-child, caption span { position: static; min-width: 0; }
  figure, tr, .tiles { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
}
"""
