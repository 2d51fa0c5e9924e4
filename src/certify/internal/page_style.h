// The look of a certificate's page. Meaning never rests on colour alone: signs and words say the
// same; the two colours are those of Okabe and Ito (2008) that every kind of sight tells apart.
#pragma once

#include <string_view>

namespace switchyard::certify::internal {

inline constexpr std::string_view kPageStyle = R"css(
:root { color-scheme: light dark; --paper: #fdfdfb; --ink: #1c1e21; --soft: #62676e;
  --line: #d9dade; --faint: #eceded; --mark: #0072b2; --bad: #c04e00; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #15171a; --ink: #e6e6e3; --soft: #9ca1a8; --line: #383c42; --faint: #24272b;
    --mark: #56b4e9; --bad: #f08a3c; } }
@media print {
  :root { --paper: #fff; --ink: #000; --soft: #444; --line: #bbb; --faint: #e8e8e8;
    --mark: #0072b2; --bad: #b34700; }
  figure, tr, .row { break-inside: avoid; } h2 { break-after: avoid; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); overflow-wrap: break-word;
  font: 16px/1.5 system-ui, "Segoe UI", "Helvetica Neue", Arial, "Noto Sans", sans-serif;
  font-variant-numeric: tabular-nums; }
main { max-width: 60rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
h1 { font-size: clamp(2rem, 7vw, 3.25rem); line-height: 1.1; margin: .35rem 0 1rem;
  font-weight: 650; letter-spacing: -.02em; overflow-wrap: break-word; }
h2 { font-size: 1.2rem; font-weight: 650; margin: 3.25rem 0 .25rem; padding-top: .8rem;
  border-top: 1px solid var(--line); }
h3 { font-size: 1rem; font-weight: 600; margin: 1.75rem 0 0; }
p { margin: .5rem 0; max-width: 46rem; }
.eyebrow, .about { color: var(--soft); }
.eyebrow { margin: 0; letter-spacing: .02em; }
.sentence { font-size: 1.15rem; }
.yes { color: var(--mark); } .no { color: var(--bad); }
.guilty { border-left: 4px solid var(--bad); padding: .1rem 0 .1rem 1rem; margin: 1.25rem 0; }
.guilty ol { margin: .25rem 0; padding-left: 1.4rem; }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr));
  gap: 1rem 2rem; margin: 1.75rem 0 0; }
.facts div { border-top: 1px solid var(--line); padding-top: .4rem; }
.facts dt { color: var(--soft); font-size: .85rem; } .facts dd { margin: 0; white-space: pre-line; }
.scroll { overflow-x: auto; margin: .75rem 0; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; line-height: 1.4; }
th { text-align: left; font-weight: 500; color: var(--soft); font-size: .82rem;
  vertical-align: bottom; }
th, td { padding: .35rem .9rem .35rem 0; border-bottom: 1px solid var(--faint); }
td { vertical-align: baseline; overflow-wrap: break-word; } th.code { font-family: inherit; font-size: .82rem; }
thead th { border-bottom: 1px solid var(--line); }
.number { text-align: right; white-space: nowrap; }
.verdict { white-space: nowrap; font-weight: 600; }
.code { font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace;
  font-size: .84em; }
td.code, pre.code { overflow-wrap: anywhere; white-space: pre-wrap; }
pre { margin: .75rem 0; padding: .75rem 1rem; background: var(--faint); border-radius: 4px; }
figure { margin: 1rem 0 1.5rem; }
figcaption { color: var(--soft); font-size: .88rem; max-width: 46rem; margin-top: .5rem; }
.key { color: var(--ink); font-weight: 600; }
.row { display: grid; grid-template-columns: minmax(9rem, 17rem) minmax(0, 1fr) 7.5rem;
  column-gap: 1.1rem; align-items: center; min-height: 30px; padding: .15rem 0; overflow-y: clip; }
.row.axis { padding: 0; min-height: 0; }
.label { font-size: .9rem; line-height: 1.25; overflow-wrap: break-word; }
.label small { display: block; color: var(--soft); font-size: .78rem; }
.value { font-size: .88rem; }
svg { display: block; width: 100%; overflow: visible; }
.track { height: 30px; } .row.axis .track { align-self: start; }
svg text { fill: var(--soft); font-size: 12px; }
svg .bound-name, svg .target-name { fill: var(--bad); }
svg .target-name { font-weight: 600; }
p.unit { color: var(--soft); font-size: .8rem; margin: 0 0 .4rem; }
.grid { stroke: var(--line); stroke-width: 1; shape-rendering: crispEdges; }
.bound { stroke: var(--bad); stroke-width: 1.25; }
.target { stroke: var(--bad); stroke-width: 1.5; }
.p99 { stroke: var(--ink); stroke-width: 2; }
.difference { stroke: var(--bad); stroke-width: 3; }
rect.ink { fill: var(--mark); opacity: .62; } rect.empty { fill: var(--faint); }
rect.fallback { fill: var(--soft); opacity: .5; }
circle.mean { fill: var(--ink); stroke: var(--paper); stroke-width: 1; }
circle.worst { fill: var(--paper); stroke: var(--ink); stroke-width: 1.75; }
line.bad, circle.worst.bad { stroke: var(--bad); } circle.mean.bad { fill: var(--bad); }
.curve { fill: none; stroke: var(--mark); stroke-width: 1.75; vector-effect: non-scaling-stroke; }
footer { margin-top: 3.5rem; padding-top: .8rem; border-top: 1px solid var(--line);
  color: var(--soft); font-size: .88rem; }
@media (max-width: 40rem) {
  main { padding: 1.5rem 1rem 3rem; }
  .row { grid-template-columns: minmax(0, 1fr) auto; row-gap: 0; padding: .35rem 0; }
  .row .track { grid-column: 1 / -1; grid-row: 2; overflow-y: clip; }
  .row.axis .label, .row.axis .value { display: none; }
  .value { text-align: right; }
  .stack thead { display: none; } .stack tr { display: block; padding: .5rem 0;
    border-bottom: 1px solid var(--line); }
  .stack td { display: block; border: 0; padding: 0; text-align: left; }
  .stack td[title]::before { content: attr(title) ": "; color: var(--soft); } }
)css";

}  // namespace switchyard::certify::internal
