#include "laminar/apps/report_style.hpp"

namespace laminar::apps {

// Series colours are Okabe and Ito's, which readers with any colour vision can tell apart, darkened or lightened for
// contrast with the background.
std::string_view report_style() {
  return R"css(
:root{color-scheme:light dark;--page:#f4f6f8;--card:#fff;--ink:#1a1f25;--muted:#5b6570;--line:#dde2e7;--grid:#e8ecf0;
--train:#838e99;--val:#0072b2;--test:#d55e00;--rate:#00855f;--norm:#a8528a;
--forward:#0072b2;--loss:#e69f00;--backward:#6cbcec;--optimizer:#009e73;--evaluation:#b0487f;
--right:0,114,178;--wrong:213,94,0;--strong:#fff;--bar:#9cc7e2}
@media screen and (prefers-color-scheme:dark){:root{--page:#101418;--card:#181d23;--ink:#e5e9ed;--muted:#98a3ae;--line:#2c343c;
--grid:#262d35;--train:#909ba6;--val:#56b4e9;--test:#ff8c42;--rate:#2fbf92;--norm:#dd92bd;
--forward:#3d95cf;--loss:#f0b429;--backward:#8fcff5;--optimizer:#21a67f;--evaluation:#e48fbb;
--right:86,180,233;--wrong:255,140,66;--strong:#0c1116;--bar:#2f6288}.steps.steps{--fl:58%;--bl:34%}
.key-f.key-f{--c:hsl(222 65% 58%)}.key-b.key-b{--c:hsl(222 65% 34%)}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",
"DejaVu Sans",Arial,sans-serif;font-variant-numeric:tabular-nums}
main{max-width:1360px;margin:0 auto;padding:28px 24px 40px}
h1{font-size:26px;line-height:1.25;margin:0;font-weight:650;letter-spacing:-.01em;overflow-wrap:anywhere}
h2{font-size:18px;margin:34px 0 12px;font-weight:620}
h3{font-size:15px;margin:0;font-weight:620}
p{margin:0}.muted,.note{color:var(--muted)}.note{font-size:13px;margin-top:8px}
header{display:flex;flex-wrap:wrap;gap:16px 40px;align-items:flex-end;justify-content:space-between}
header .what{flex:1 1 420px;min-width:0}header .what p{margin-top:6px;color:var(--muted)}
.hero{text-align:right}.hero b{display:block;font-size:46px;line-height:1.05;font-weight:680;letter-spacing:-.02em;white-space:nowrap}
.hero b small{font-size:24px;font-weight:500;color:var(--muted)}.hero span{color:var(--muted)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(165px,1fr));gap:12px;margin:24px 0 0;padding:0}
.tile,.card{background:var(--card);border:1px solid var(--line);border-radius:8px}
.tile{padding:11px 14px 12px}.tile dt{color:var(--muted);font-size:13px}
.tile dd{margin:0;font-size:21px;font-weight:620;line-height:1.35;white-space:nowrap}.tile dd+dd{font-size:13px;font-weight:400;
color:var(--muted);white-space:normal}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,540px),1fr));gap:14px}
.flow{display:flex;flex-wrap:wrap;gap:14px;align-items:flex-start}.flow>.card{flex:1 1 380px;min-width:0}
.flow>.heatmap{flex:0 1 auto;max-width:100%}.flow>.stack{flex:1 1 400px;container-type:inline-size;min-width:0;display:grid;
grid-template-columns:repeat(auto-fit,minmax(min(100%,520px),1fr));gap:14px;align-items:start}
.stack .scroll{max-height:440px}.charts>.card:last-child:nth-child(odd){grid-column:1/-1}
.card{margin:0;padding:14px 16px 12px;min-width:0}
figcaption{display:flex;flex-wrap:wrap;gap:2px 16px;align-items:baseline;margin-bottom:6px}
.legend{display:flex;flex-wrap:wrap;gap:0 14px;list-style:none;margin:0;padding:0;font-size:13px;color:var(--muted)}
.legend i{display:inline-block;margin-right:6px;background:var(--c)}
.legend .stroke{width:16px;height:3px;vertical-align:4px;border-radius:2px}
.legend .block{width:11px;height:11px;vertical-align:-1px;border-radius:2px}
.legend .hollow{width:10px;height:10px;border-radius:50%;background:none;border:2px solid var(--c);vertical-align:-1px}
.choice{margin-left:auto;font-size:13px;color:var(--muted);display:none}.choice label{margin-left:10px;cursor:pointer}
.choice input{margin:0 4px 0 0;vertical-align:-1px}
@supports selector(:has(a)){.choice{display:inline}figure:has(.to-other:checked) .plain{display:none}
figure:has(.to-other:checked) .other{display:block}}
.plot{position:relative}svg{display:block;width:100%;height:auto}svg.other{display:none}
svg text{font-size:12px;fill:var(--muted)}svg text.y{text-anchor:end}svg text.x{text-anchor:middle}
.grid line{stroke:var(--grid);stroke-width:1}.grid line.base{stroke:var(--line)}
.line{fill:none;stroke:var(--c);stroke-width:1.8;stroke-linejoin:round;stroke-linecap:round}
.line.halo{stroke-width:4.5;stroke:var(--card)}.dot.halo{fill:var(--card)}.line.faint{stroke-width:1;opacity:.3}.dot{fill:var(--c)}.dot.faint{opacity:.4}.area{fill:var(--c)}.beyond{fill:var(--muted)}
.ring{fill:var(--card);stroke:var(--c);stroke-width:2}
line.marker{stroke:var(--muted);stroke-dasharray:3 4}
text.marker{fill:var(--ink);paint-order:stroke;stroke:var(--card);stroke-width:4px;stroke-linejoin:round}
text.marker.end{text-anchor:end}
.train{--c:var(--train)}.val{--c:var(--val)}.test{--c:var(--test)}.rate{--c:var(--rate)}.norm{--c:var(--norm)}
.forward{--c:var(--forward)}.loss{--c:var(--loss)}.backward{--c:var(--backward)}.optimizer{--c:var(--optimizer)}
.evaluation{--c:var(--evaluation)}
.busy{--c:var(--forward)}.wait{--c:var(--line)}.send{--c:var(--loss)}
.layer0{--c:hsl(262 55% 60%)}.layer1{--c:hsl(225 60% 60%)}.layer2{--c:hsl(200 75% 45%)}.layer3{--c:hsl(172 70% 38%)}
.layer4{--c:hsl(125 40% 45%)}.layer5{--c:hsl(70 65% 40%)}.layer6{--c:hsl(38 90% 47%)}.layer7{--c:hsl(12 80% 54%)}
.whole{margin-bottom:14px}
.steps{--fl:46%;--bl:76%}.key-f{--c:hsl(222 65% 46%)}.key-b{--c:hsl(222 65% 76%)}.key-w{--c:var(--line)}.key-s{--c:var(--ink)}
.steps .f{fill:hsl(var(--h) 65% var(--fl))}.steps .b{fill:hsl(var(--h) 65% var(--bl))}.steps .s{fill:var(--ink)}
.steps .w{fill:url(#waiting)}.steps .ground{fill:var(--grid)}.steps .stripe{fill:var(--muted);opacity:.45}
.meter.pieces{white-space:nowrap;font-size:0}.meter.pieces i{display:inline-block;border-radius:0;min-width:0}
.cursor{position:absolute;top:0;width:1px;background:var(--muted);opacity:.6;pointer-events:none}
.tip{position:absolute;z-index:3;pointer-events:none;background:var(--card);border:1px solid var(--line);border-radius:6px;
padding:6px 10px;font-size:13px;line-height:1.45;box-shadow:0 3px 14px rgba(0,0,0,.18);white-space:nowrap}
.tip b{font-weight:620}.tip i{display:inline-block;width:9px;height:9px;border-radius:2px;background:var(--c);margin-right:7px}
.tip table td{padding:0 0 0 12px;border:0}.tip table td:first-child{padding:0}
.scroll{overflow:auto;max-height:620px}
table{border-collapse:collapse;width:100%;font-size:14px}
th,td{padding:4px 12px;text-align:left;border-bottom:1px solid var(--grid);vertical-align:baseline}
th:first-child,td:first-child{padding-left:2px}th:last-child,td:last-child{padding-right:4px}
th{font-weight:560;color:var(--muted);font-size:13px;white-space:nowrap}thead th{position:sticky;top:0;background:var(--card);z-index:1;
box-shadow:inset 0 -1px 0 var(--line)}
.num{text-align:right;white-space:nowrap}tfoot td,tfoot th{border-bottom:0;border-top:1px solid var(--line);font-weight:600;
color:var(--ink);font-size:14px}tbody tr:last-child>*{border-bottom:0}
.sortable thead th{cursor:pointer}.sortable thead th:hover{color:var(--ink)}
th[aria-sort=ascending]::after{content:" ▲";font-size:9px}th[aria-sort=descending]::after{content:" ▼";font-size:9px}
td:first-child,tfoot td{white-space:nowrap}td.name,td.name:first-child{white-space:normal;overflow-wrap:anywhere;min-width:7em}
.meter{width:34%;min-width:80px}.meter i{display:block;height:11px;border-radius:2px;background:var(--bar);min-width:1px}
.meter i.of{background:var(--c)}
.facts{columns:3 300px;column-gap:36px}.facts.one{columns:1}.facts div{display:flex;justify-content:space-between;gap:18px;padding:3px 2px;
border-bottom:1px solid var(--grid);break-inside:avoid}.facts dt{color:var(--muted);white-space:nowrap}
.facts dd{margin:0;text-align:right;overflow-wrap:anywhere;min-width:0}dl{margin:0}.facts{font-size:14px}
.mono,.facts.mono dd,pre{font-family:ui-monospace,"SF Mono","Cascadia Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:13px}
.command{position:relative;margin-bottom:14px}pre{margin:0;white-space:pre-wrap;overflow-wrap:anywhere;padding-right:70px;line-height:1.55}
button{position:absolute;top:9px;right:10px;font:inherit;font-size:13px;color:var(--muted);background:var(--page);
border:1px solid var(--line);border-radius:6px;padding:2px 10px;cursor:pointer}
.heat{overflow:auto}.heat svg{width:auto;max-width:none}.heat text{font-size:11px}.heat .tight text{font-size:10px}
.heat .right{fill:rgb(var(--right))}.heat .wrong{fill:rgb(var(--wrong))}.heat .frame{fill:none;stroke:var(--line)}
.heat .mesh{stroke:var(--grid);fill:none}.heat text.cell{text-anchor:middle;fill:var(--ink)}.heat text.cell.on{fill:var(--strong)}
.heat text.side{font-size:12px;font-weight:560;text-anchor:middle}
.key{display:flex;flex-wrap:wrap;gap:4px 20px;font-size:13px;color:var(--muted);margin-top:8px}
.key i{display:inline-block;width:74px;height:10px;border-radius:2px;margin:0 7px;vertical-align:-1px}
.key .right{background:linear-gradient(90deg,rgba(var(--right),0),rgb(var(--right)))}
.key .wrong{background:linear-gradient(90deg,rgba(var(--wrong),0),rgb(var(--wrong)))}
footer{margin-top:30px;color:var(--muted);font-size:13px}
@container (max-width:520px){.meter{display:none}th,td{padding:4px 5px}th{white-space:normal}
table{font-size:13px}td.name,td.name:first-child{min-width:0}}
@media (max-width:640px){.meter{display:none}main{padding:18px 12px}.facts{columns:1}.hero{text-align:left}.hero b{font-size:38px}
th,td{padding:4px 7px}}
@media print{@page{margin:13mm}:root{--page:#fff}body{font-size:11px;print-color-adjust:exact;-webkit-print-color-adjust:exact}
main{max-width:none;padding:0}.facts{font-size:10.5px}h1{font-size:20px}h2{font-size:15px;margin:20px 0 8px;break-after:avoid}.hero b{font-size:32px}
.tiles{grid-template-columns:repeat(6,1fr);gap:6px}.tile{padding:6px 8px}.tile dd{font-size:14px}.tile dd+dd,.tile dt,.note,.legend{font-size:10px}
.charts{grid-template-columns:1fr 1fr;gap:8px}.card{padding:8px 10px}figure,.tile,tr{break-inside:avoid}
.scroll,.stack .scroll{max-height:none;overflow:visible}
.stack{container-type:normal!important;display:block!important}.stack>*+*{margin-top:8px}.heat{overflow:visible}
.heat svg{max-width:100%;max-height:220mm}h3{font-size:12px}.key{font-size:10px}svg.chart text{font-size:17px}
.meter{width:20%;min-width:30px}.meter i{height:8px}thead th{position:static}
table,th,td,tfoot td,.mono,.facts.mono dd,pre{font-size:10px}th,td{padding:2px 6px}.facts div{padding:1px 2px}
.choice,button{display:none!important}}
)css";
}

std::string_view report_script() {
  return R"js(
(() => {
  'use strict';
  const make = (tag, css, parent) => {
    const e = document.createElement(tag);
    e.className = css;
    if (parent) parent.append(e);
    return e;
  };
  // Keeps the box inside `plot`, beside the pointer.
  const place = (tip, plot, x, y) => {
    const left = x + 16 + tip.offsetWidth > plot.scrollLeft + plot.clientWidth ? x - 16 - tip.offsetWidth : x + 16;
    tip.style.left = Math.max(plot.scrollLeft, left) + 'px';
    tip.style.top = Math.max(plot.scrollTop, y) + 'px';
  };
  const row = (table, color, name, value) => {
    const tr = make('tr', '', table);
    const td = make('td', color, tr);
    make('i', '', td);
    td.append(name);
    make('td', 'num', tr).textContent = value;
  };
  for (const figure of document.querySelectorAll('figure')) {
    const script = figure.querySelector('script[type="application/json"]');
    if (!script) continue;
    const data = JSON.parse(script.textContent);
    const plot = figure.querySelector('.plot, .heat');
    const tip = make('div', 'tip', plot);
    tip.hidden = true;
    if (data.counts) {
      const svg = plot.querySelector('svg');
      plot.style.position = 'relative';
      plot.addEventListener('pointermove', event => {
        const box = svg.getBoundingClientRect();
        const unit = box.width / svg.viewBox.baseVal.width;
        const j = Math.floor(((event.clientX - box.left) / unit - data.left) / data.cell);
        const i = Math.floor(((event.clientY - box.top) / unit - data.top) / data.cell);
        tip.hidden = !(data.counts[i] && j >= 0 && j < data.names.length);
        if (tip.hidden) return;
        const n = data.counts[i][j], all = data.support[i];
        tip.textContent = '';
        make('b', '', tip).textContent = data.names[i];
        tip.append(i === j ? ' taken for what it is' : ' taken for ');
        if (i !== j) make('b', '', tip).textContent = data.names[j];
        tip.append(document.createElement('br'), `${n.toLocaleString('en')} of ${all.toLocaleString('en')}` +
                   (all ? ` (${(100 * n / all).toFixed(1)} %)` : ''));
        const outer = plot.getBoundingClientRect();
        place(tip, plot, event.clientX - outer.left + plot.scrollLeft, event.clientY - outer.top + plot.scrollTop + 12);
      });
      plot.addEventListener('pointerleave', () => { tip.hidden = true; });
      continue;
    }
    const cursor = make('div', 'cursor', plot);
    cursor.hidden = true;
    const show = y => data.shares ? (100 * y).toFixed(2) + ' %' : String(+y.toPrecision(4)) + (data.unit ? ' ' + data.unit : '');
    // Index of the last x that is not beyond `at`, or -1.
    const before = (xs, at) => {
      let low = 0, high = xs.length;
      while (low < high) {
        const middle = (low + high) >> 1;
        if (xs[middle] <= at) low = middle + 1; else high = middle;
      }
      return low - 1;
    };
    plot.addEventListener('pointermove', event => {
      const svg = [...plot.querySelectorAll('svg')].find(s => s.clientWidth > 0 || s.getBoundingClientRect().width > 0);
      const box = svg.getBoundingClientRect(), unit = box.width / data.width;
      const px = (event.clientX - box.left) / unit;
      tip.hidden = cursor.hidden = px < data.left - 4 || px > data.right + 4;
      if (tip.hidden) return;
      const wanted = data.low + (px - data.left) / (data.right - data.left) * (data.high - data.low);
      let at = NaN;
      for (const s of data.series) {
        const k = before(s.x, wanted);
        for (const x of [s.x[k], s.x[k + 1]]) {
          if (x !== undefined && !(Math.abs(at - wanted) <= Math.abs(x - wanted))) at = x;
        }
      }
      tip.textContent = '';
      make('b', '', tip).textContent = 'epoch ' + (data.bars ? data.bars[before(data.bars.map(b => b[0] - 0.5), at)].join('–')
                                                              : at.toLocaleString('en'));
      const table = make('table', '', tip);
      for (const s of data.series) {
        const k = before(s.x, at);
        if (k < 0) continue;
        const older = !data.bars && s.x[k] !== at ? `${s.name} (epoch ${s.x[k].toLocaleString('en')})` : s.name;
        row(table, s.color, older, show(s.y[k]));
      }
      const x = (data.left + (at - data.low) / (data.high - data.low) * (data.right - data.left)) * unit;
      cursor.style.left = x + 'px';
      cursor.style.height = box.height + 'px';
      place(tip, plot, x, event.clientY - box.top + 14);
    });
    plot.addEventListener('pointerleave', () => { tip.hidden = cursor.hidden = true; });
  }

  const number = cell => {
    const x = parseFloat(cell.textContent.replace(/,/g, ''));
    return Number.isNaN(x) ? -Infinity : x;
  };
  for (const table of document.querySelectorAll('table.sortable')) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => head.addEventListener('click', () => {
      const numeric = head.classList.contains('num');
      const previous = head.getAttribute('aria-sort');
      const down = previous ? previous === 'ascending' : numeric;
      for (const h of heads) h.removeAttribute('aria-sort');
      head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
      const body = table.tBodies[0];
      const sorted = [...body.rows].sort((a, b) => {
        const order = numeric ? number(a.cells[column]) - number(b.cells[column])
                              : a.cells[column].textContent.localeCompare(b.cells[column].textContent);
        return down ? -order : order;
      });
      body.append(...sorted);
    }));
  }

  for (const command of document.querySelectorAll('.command')) {
    const button = make('button', '', command);
    button.type = 'button';
    button.textContent = 'copy';
    button.addEventListener('click', () => {
      const selection = getSelection();
      selection.selectAllChildren(command.querySelector('pre'));
      button.textContent = document.execCommand('copy') ? 'copied' : 'selected';
      selection.removeAllRanges();
      setTimeout(() => { button.textContent = 'copy'; }, 1500);
    });
  }
})();
)js";
}

}  // namespace laminar::apps
