extension TracePage {
    static let style = #"""
        :root {
          color-scheme: light dark;
          --back: #ffffff; --raised: #f5f6f8; --line: #d9dde3; --text: #1b1f24; --muted: #5b6570; --accent: #0b62c4;
          --error: #c2252b; --select: #e4effc; --match: #fff3bf; --bar-light: 46%; --mono: ui-monospace, Menlo, monospace;
        }
        @media (prefers-color-scheme: dark) {
          :root {
            --back: #14171b; --raised: #1c2026; --line: #333a43; --text: #e4e8ec; --muted: #98a2ad; --accent: #6cb2ff;
            --error: #ff7b7f; --select: #20344d; --match: #4d4317; --bar-light: 58%;
          }
        }
        * { box-sizing: border-box; }
        [hidden] { display: none !important; }
        html, body { height: 100%; margin: 0; }
        body { background: var(--back); color: var(--text); font: 14px/1.4 system-ui, sans-serif; display: flex;
               flex-direction: column; }
        a { color: var(--accent); text-decoration: none; }
        a:hover { text-decoration: underline; }
        :focus-visible { outline: 2px solid var(--accent); outline-offset: 1px; }
        button, input, select { font: inherit; color: inherit; background: var(--back); border: 1px solid var(--line);
                                border-radius: 5px; padding: 4px 8px; }
        button { cursor: pointer; background: var(--raised); }
        button:hover { border-color: var(--accent); }
        button.primary { background: var(--accent); border-color: var(--accent); color: var(--back); font-weight: 600; }
        header.top { display: flex; gap: 16px; align-items: center; padding: 8px 16px; border-bottom: 1px solid var(--line);
                     background: var(--raised); }
        header.top .brand { font-weight: 700; font-size: 16px; color: var(--text); }
        header.top form { margin-left: auto; display: flex; gap: 6px; }
        header.top input { width: 24em; max-width: 45vw; font-family: var(--mono); font-size: 12px; }
        main { flex: 1; min-height: 0; display: flex; flex-direction: column; }
        .notice { padding: 8px 16px; color: var(--muted); }
        .notice.bad { color: var(--error); }

        #search { display: flex; flex: 1; min-height: 0; }
        #search > form { width: 260px; flex: none; padding: 16px; border-right: 1px solid var(--line); overflow: auto;
                         display: flex; flex-direction: column; gap: 10px; }
        #search > form label { display: flex; flex-direction: column; gap: 3px; font-size: 12px; color: var(--muted); }
        #search > form label.line { flex-direction: row; align-items: center; gap: 6px; font-size: 14px;
                                    color: var(--text); }
        #search > form input, #search > form select { font-size: 14px; color: var(--text); width: 100%; }
        #search > form label.line input { width: auto; }
        .pair { display: grid; grid-template-columns: 1fr 1fr; gap: 8px; }
        .results { flex: 1; overflow: auto; min-width: 0; }
        .results .summary { display: flex; gap: 12px; align-items: center; padding: 10px 16px; color: var(--muted);
                            position: sticky; top: 0; background: var(--back); border-bottom: 1px solid var(--line);
                            z-index: 1; }
        .results .summary label { margin-left: auto; }
        ol.traces { list-style: none; margin: 0; padding: 0; }
        ol.traces a.trace { display: block; padding: 8px 16px 10px; border-bottom: 1px solid var(--line);
                            color: inherit; }
        ol.traces a.trace:hover { background: var(--raised); text-decoration: none; }
        .trace .head { display: flex; gap: 10px; align-items: baseline; }
        .trace .name { font-weight: 600; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
        .trace .length { margin-left: auto; font-variant-numeric: tabular-nums; white-space: nowrap; }
        .trace .meter { height: 5px; background: var(--raised); border-radius: 3px; margin: 5px 0; }
        .trace .meter > div { height: 100%; background: var(--accent); border-radius: 3px; min-width: 2px; }
        .trace .meter > div.bad { background: var(--error); }
        .trace .facts { display: flex; flex-wrap: wrap; gap: 4px 12px; font-size: 12px; color: var(--muted);
                        align-items: center; }
        .trace .facts .when { margin-left: auto; }
        .id { font-family: var(--mono); font-size: 12px; color: var(--muted); }
        .error { color: var(--error); font-weight: 600; }
        .chip { border-left: 4px solid var(--muted); background: var(--raised); border-radius: 3px; padding: 0 6px;
                color: var(--text); }
        .more { display: block; margin: 12px auto; }

        #trace { display: flex; flex-direction: column; flex: 1; min-height: 0; }
        .facts-head { padding: 10px 16px 6px; }
        .facts-head h1 { font-size: 18px; margin: 0 0 4px; overflow-wrap: anywhere; }
        .facts-head p { margin: 2px 0; color: var(--muted); display: flex; flex-wrap: wrap; gap: 4px 16px; }
        .facts-head .decision { color: var(--text); }
        .tools { display: flex; gap: 8px; padding: 6px 16px; align-items: center; flex-wrap: wrap; }
        .tools input { width: 18em; }
        .tools .spacer { flex: 1; }
        #overview { display: block; width: calc(100% - 32px); height: 56px; margin: 4px 16px; cursor: crosshair;
                    border: 1px solid var(--line); border-radius: 4px; }
        .panes { display: flex; flex: 1; min-height: 0; border-top: 1px solid var(--line); }
        .chart { flex: 1; min-width: 0; display: flex; flex-direction: column; --names: 40%; }
        .axis { display: flex; height: 24px; border-bottom: 1px solid var(--line); color: var(--muted); font-size: 12px;
                flex: none; overflow-y: scroll; scrollbar-width: thin; scrollbar-color: transparent transparent; }
        .axis .names { width: var(--names); flex: none; padding: 3px 8px; border-right: 1px solid var(--line);
                       position: relative; }
        .axis .handle { position: absolute; right: -4px; top: 0; width: 8px; height: 24px; cursor: col-resize; }
        .axis .ticks { flex: 1; position: relative; }
        .axis .ticks span { position: absolute; top: 3px; padding-left: 4px; border-left: 1px solid var(--line); }
        .axis .ticks span.last { transform: translateX(-100%); border: 0; padding-right: 4px; }
        .rows { flex: 1; overflow-y: scroll; overflow-x: hidden; scrollbar-width: thin; position: relative;
                outline-offset: -2px; }
        .rows > .sizer { position: relative; }
        .row { position: absolute; left: 0; right: 0; height: 26px; display: flex; cursor: default; }
        .row:hover { background: var(--raised); }
        .row.match { background: var(--match); }
        .row.selected { background: var(--select); }
        .row .label { width: var(--names); flex: none; display: flex; align-items: center; gap: 6px; overflow: hidden;
                      white-space: nowrap; border-right: 1px solid var(--line); padding-right: 6px; }
        .row .toggle { flex: none; width: 18px; padding: 0; border: 0; background: none; text-align: center;
                       color: var(--muted); font-size: 11px; }
        .row .stripe { flex: none; width: 4px; height: 18px; border-radius: 2px; }
        .row .service { font-weight: 600; }
        .row .operation { color: var(--muted); overflow: hidden; text-overflow: ellipsis; }
        .row .mark { flex: none; width: 16px; height: 16px; border-radius: 8px; background: var(--error);
                     color: var(--back); font-size: 11px; font-weight: 700; text-align: center; line-height: 16px; }
        .row .mark.below { background: none; border: 1px solid var(--error); color: var(--error); line-height: 14px; }
        .row .hidden-count { flex: none; font-size: 11px; color: var(--muted); border: 1px solid var(--line);
                             border-radius: 8px; padding: 0 5px; }
        .row .track { flex: 1; position: relative; overflow: hidden; }
        .row .bar { position: absolute; top: 6px; height: 14px; border-radius: 3px; min-width: 2px; }
        .row .bar.bad { box-shadow: inset 0 0 0 2px var(--error); }
        .row .time { position: absolute; top: 4px; font-size: 11px; color: var(--muted); padding: 0 5px;
                     white-space: nowrap; font-variant-numeric: tabular-nums; }
        .row .time.inside { color: var(--back); font-weight: 600; }
        .row .time.left { transform: translateX(-100%); }
        aside { width: 420px; max-width: 45vw; flex: none; border-left: 1px solid var(--line); overflow: auto;
                padding: 10px 14px; }
        aside h2 { font-size: 15px; margin: 0 28px 6px 0; overflow-wrap: anywhere; }
        aside h3 { font-size: 12px; margin: 14px 0 4px; color: var(--muted); text-transform: uppercase;
                   letter-spacing: .04em; }
        aside .close { float: right; }
        table { border-collapse: collapse; width: 100%; font-size: 12px; }
        td, th { text-align: left; vertical-align: top; padding: 3px 6px 3px 0; border-bottom: 1px solid var(--line);
                 overflow-wrap: anywhere; font-weight: 400; }
        th { color: var(--muted); width: 40%; }
        td { font-family: var(--mono); white-space: pre-wrap; }
        .visually-hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
        @media (max-width: 800px) {
          #search { flex-direction: column; overflow: auto; }
          #search > form { width: auto; border-right: 0; border-bottom: 1px solid var(--line); overflow: visible; }
          .results { overflow: visible; }
          .panes { flex-direction: column; }
          aside { width: auto; max-width: none; max-height: 45%; border-left: 0; border-top: 1px solid var(--line); }
        }
        """#

    static let markup = #"""
        <header class="top">
          <a class="brand" href="/" data-route>Tailrace</a>
          <a href="/?statistics=service" data-route>Statistics</a>
          <form id="lookup" role="search">
            <label class="visually-hidden" for="lookup-id">Trace id</label>
            <input id="lookup-id" placeholder="Trace id" autocomplete="off" spellcheck="false">
            <button>Open</button>
          </form>
        </header>
        <main>
          <section id="search" aria-label="Search" hidden>
            <form id="search-form">
              <label>Service <select name="service"><option value="">any service</option></select></label>
              <label>Operation
                <input name="operation" list="operations" placeholder="any operation" autocomplete="off">
                <datalist id="operations"></datalist>
              </label>
              <label>Tags
                <input name="tag" placeholder="http.status_code=500 user.tier=gold" autocomplete="off" spellcheck="false">
              </label>
              <div class="pair">
                <label>Min duration <input name="min_duration" placeholder="100ms" autocomplete="off"></label>
                <label>Max duration <input name="max_duration" placeholder="1.5s" autocomplete="off"></label>
              </div>
              <label class="line"><input type="checkbox" name="error" value="true"> Errors only</label>
              <div class="pair">
                <label>Look back
                  <select name="time_range">
                    <option value="5m">5 minutes</option><option value="15m">15 minutes</option>
                    <option value="1h">1 hour</option><option value="6h">6 hours</option>
                    <option value="1d">1 day</option><option value="7d">7 days</option>
                    <option value="">everything</option>
                  </select>
                </label>
                <label>Limit <input name="limit" type="number" min="1" max="1500"></label>
              </div>
              <button class="primary">Search</button>
            </form>
            <div class="results">
              <div class="summary">
                <span id="result-count" role="status"></span>
                <label>Sort <select id="sort">
                  <option value="newest">newest</option><option value="oldest">oldest</option>
                  <option value="longest">longest</option><option value="shortest">shortest</option>
                  <option value="spans">most spans</option><option value="errors">most errors</option>
                </select></label>
              </div>
              <ol class="traces" id="traces"></ol>
              <button class="more" id="more" hidden>More</button>
            </div>
          </section>
          \#(statisticsMarkup)
          <section id="trace" aria-label="Trace" hidden>
            <div class="facts-head" id="trace-head"></div>
            <div class="tools">
              <label class="visually-hidden" for="find">Find in trace</label>
              <input id="find" placeholder="Find in trace (ctrl+b)" autocomplete="off" spellcheck="false">
              <span id="find-count" class="id" role="status"></span>
              <button id="find-previous" title="Previous match (shift+n)">↑</button>
              <button id="find-next" title="Next match (n)">↓</button>
              <span class="spacer"></span>
              <button id="next-error" title="Next error (e)">Next error</button>
              <button id="expand" title="Expand all (])">Expand all</button>
              <button id="collapse" title="Collapse all ([)">Collapse all</button>
              <button id="reset-zoom" title="Whole trace (esc)">Whole trace</button>
              <a id="raw" target="_blank" rel="noopener">JSON</a>
            </div>
            <canvas id="overview" aria-hidden="true"></canvas>
            <div class="panes">
              <div class="chart">
                <div class="axis"><div class="names">Service and operation<div class="handle"></div></div>
                  <div class="ticks" id="ticks"></div></div>
                <div class="rows" id="rows" role="tree" tabindex="0" aria-label="Spans"><div class="sizer"></div></div>
              </div>
              <aside id="detail" aria-label="Span" hidden></aside>
            </div>
          </section>
          <div class="notice" id="notice" role="alert" hidden></div>
        </main>
        """#
}
