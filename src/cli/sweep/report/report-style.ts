/** CSS of `report.html`, light and dark. It loads nothing. */
export const REPORT_STYLE = `
:root {
  color-scheme: light dark;
  --page: #f6f6f4; --card: #ffffff; --ink: #14171a; --soft: #5a6270; --faint: #e3e4e0;
  --band: #eef0ee; --s1: #2a6fdb; --s2: #12946f; --s3: #d4572a; --s4: #8a5cc2;
  --good: #12814f; --bad: #c62f3b; --warn: #9a6700;
  --ok: #2c8a5f; --timeout: #c2571f; --closed: #8a5cc2; --error: #c62f3b; --rejected: #6b7280;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #121416; --card: #1b1e21; --ink: #eceef0; --soft: #a3abb5; --faint: #31363b;
    --band: #22262a; --s1: #6ba4ff; --s2: #3cc79a; --s3: #ff8f61; --s4: #bd97ee;
    --good: #4cc38a; --bad: #ff7b84; --warn: #e2b04a;
    --ok: #2c8a5f; --timeout: #c2571f; --closed: #8a5cc2; --error: #c9404b; --rejected: #747c89;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', sans-serif;
}
main { max-width: 1180px; margin: 0 auto; padding: 32px 24px 64px; }
h1 { font-size: 15px; font-weight: 600; color: var(--soft); margin: 0 0 6px; }
h2 { font-size: 16px; margin: 0; }
.sentence { font-size: 26px; line-height: 1.25; font-weight: 650; margin: 0 0 10px; max-width: 34em; }
.why { font-size: 17px; margin: 0 0 10px; max-width: 60em; }
.subject { color: var(--soft); margin: 0 0 24px; overflow-wrap: anywhere; }
.standin {
  border: 3px solid var(--warn); color: var(--warn); border-radius: 10px; margin: 0 0 24px;
  padding: 12px 20px; font-size: 30px; line-height: 1.2; font-weight: 750;
}
.standin small { display: block; font-size: 15px; font-weight: 450; color: var(--ink); margin-top: 4px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(170px, 1fr)); gap: 12px; margin: 0 0 16px; }
.tile, figure, .card {
  background: var(--card); border: 1px solid var(--faint); border-radius: 10px; padding: 16px 18px; margin: 0;
}
.tile b { display: block; font-size: 24px; line-height: 1.25; font-variant-numeric: tabular-nums; }
.tile span { color: var(--soft); font-size: 13px; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 440px), 1fr)); gap: 16px; margin: 0 0 16px; }
.reading { color: var(--soft); margin: 2px 0 10px; font-size: 13.5px; }
svg { display: block; width: 100%; height: auto; font: inherit; }
text { fill: var(--soft); font-size: 12px; font-variant-numeric: tabular-nums; }
text.axis { font-size: 12px; }
text.name { fill: var(--ink); font-size: 12px; }
text.strong { font-weight: 650; }
text.onfill { fill: #ffffff; font-weight: 600; }
.grid { stroke: var(--faint); stroke-width: 1; }
.base { stroke: var(--soft); stroke-width: 1; }
.bound { stroke: var(--ink); stroke-width: 1.2; stroke-dasharray: 5 4; opacity: .75; }
.knee { stroke: var(--ink); stroke-width: 1.5; }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }
.line.wide { stroke-width: 6; opacity: .38; }
.band { fill: var(--band); } .band.other { fill: none; }
.s1 { --c: var(--s1); } .s2 { --c: var(--s2); } .s3 { --c: var(--s3); } .s4 { --c: var(--s4); }
.fill.ok { --c: var(--ok); } .fill.timeout { --c: var(--timeout); } .fill.closed { --c: var(--closed); }
.fill.error { --c: var(--error); } .fill.rejected { --c: var(--rejected); } .bad { --c: var(--bad); }
.line { stroke: var(--c); } .fill, .dot { fill: var(--c); }
.dot { stroke: var(--card); stroke-width: 1; }
.card { margin: 0 0 16px; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: 14px; }
th, td { text-align: right; padding: 6px 10px; border-bottom: 1px solid var(--faint); white-space: nowrap; }
th { color: var(--soft); font-weight: 550; vertical-align: bottom; }
th:first-child, td:first-child { padding-left: 0; } th:last-child, td:last-child { padding-right: 0; }
tr:last-child td { border-bottom: 0; }
td.said { text-align: left; white-space: normal; color: var(--soft); padding-top: 0; }
tr.figures td { border-bottom: 0; padding-bottom: 2px; }
td.name, th.name { text-align: left; } tr.group td { border-bottom: 0; padding-top: 2px; padding-bottom: 2px; }
tr.group.last td { border-bottom: 1px solid var(--faint); padding-bottom: 8px; } tr.group.first td { padding-top: 8px; }
.verdict { font-weight: 650; }
.holds { color: var(--good); } .fails { color: var(--bad); } .unclear { color: var(--warn); }
ul.said { margin: 0; padding: 0 0 6px 18px; }
details { margin: 0 0 16px; }
summary { cursor: pointer; font-weight: 600; }
dl { display: grid; grid-template-columns: minmax(130px, max-content) 1fr; gap: 6px 18px; margin: 14px 0 0; }
dt { font-family: ui-monospace, 'SF Mono', Menlo, Consolas, 'Liberation Mono', monospace; font-size: 13px; }
dd { margin: 0; color: var(--soft); max-width: 72ch; overflow-wrap: anywhere; }
pre {
  overflow-x: auto; margin: 14px 0 0; color: var(--ink);
  font: 13px/1.5 ui-monospace, 'SF Mono', Menlo, Consolas, 'Liberation Mono', monospace;
}
@media (max-width: 620px) {
  main { padding: 20px 14px 40px; } .sentence { font-size: 21px; } .standin { font-size: 23px; }
  dl { grid-template-columns: 1fr; gap: 2px; } dd { margin-bottom: 8px; }
}
@media print { body { background: none; } details > * { display: block; } }
`
