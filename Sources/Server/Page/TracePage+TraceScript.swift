extension TracePage {
    /// The trace view: rows, details, finding, overview.
    static let traceScript = #"""
        const rowHeight = 26;
        let trace = null;
        let visible = [];
        let selected = null;
        let matches = new Set();
        let range = [0, 1];
        let framePending = false;

        async function showTrace(id, spanID) {
          $("search").hidden = true;
          notice("");
          if (!trace || trace.id !== id) {
            $("trace").hidden = true;
            notice("Loading…", false);
            try {
              const loaded = makeTrace(await fetchJSON("v1/traces/" + encodeURIComponent(id)));
              if (new URLSearchParams(location.search).get("trace") !== id) return;
              loaded.id = id;
              trace = loaded;
            } catch (error) {
              trace = null;
              notice(error.message);
              return;
            }
            notice("");
            range = [0, 1];
            $("find").value = "";
            selected = null;
            updateMatches();
          }
          $("trace").hidden = false;
          trace.services.map(([name]) => name).sort().forEach(colour);
          showHead();
          $("raw").href = "v1/traces/" + encodeURIComponent(id);
          listVisible();
          $("rows").scrollTop = 0;
          select(spanID ? trace.spans.find((span) => span.id === spanID) || null : null, true);
          drawOverview();
          if (!$("rows").contains(document.activeElement)) $("rows").focus({ preventScroll: true });
        }

        function showHead() {
          const root = trace.spans[0];
          const title = root ? `${root.service}: ${root.name}` : "no spans";
          document.title = title + " – Tailrace";
          const decision = trace.info.decision;
          const fact = (text, isError) => h("span", { class: isError ? "error" : "" }, text);
          $("trace-head").replaceChildren(...[
            h("h1", {}, title),
            h("p", {}, h("span", { class: "id" }, trace.info.traceID || trace.id), fact(timeText(trace.begin)),
              fact(durationText(trace.duration)), fact(spansText(trace.spans.length, trace.info.leftOutSpanCount)),
              fact(counted(trace.services.length, "service")), fact(`depth ${trace.depth}`),
              trace.errors ? fact(counted(trace.errors, "error"), true) : null,
              trace.orphans ? fact(`${trace.orphans} without their parent`, true) : null,
              trace.info.lateParts ? fact("late spans included") : null),
            decision ? h("p", { class: "decision" },
              `Kept by policy ${decision.policy || "(none)"}, p=${probabilityText(decision.probability)}` +
              (decision.reason ? `: ${decision.reason}` : "")) : null,
            trace.info.unreadableSegments ? h("p", { class: "error" },
              `${counted(trace.info.unreadableSegments.length, "segment")} could not be read; spans may be missing.`) : null,
          ].filter(Boolean));
        }

        // MARK: rows

        function listVisible() {
          visible = [];
          let hiddenBelow = -1;
          for (const span of trace.spans) {
            if (hiddenBelow >= 0 && span.depth > hiddenBelow) continue;
            hiddenBelow = span.isOpen ? -1 : span.depth;
            span.row = visible.length;
            visible.push(span);
          }
          $("rows").firstElementChild.style.height = visible.length * rowHeight + "px";
          scheduleRows();
        }

        function scheduleRows() {
          if (framePending) return;
          framePending = true;
          requestAnimationFrame(() => { framePending = false; drawRows(); });
        }

        // Only rows on the screen exist as elements; that is what keeps 10,000 spans fluent.
        function drawRows() {
          if (!trace) return;
          const box = $("rows");
          const first = Math.max(0, Math.floor(box.scrollTop / rowHeight) - 5);
          const last = Math.min(visible.length, Math.ceil((box.scrollTop + box.clientHeight) / rowHeight) + 5);
          const rows = [];
          for (let i = first; i < last; i++) rows.push(makeRow(visible[i], i));
          box.firstElementChild.replaceChildren(...rows);
          if (selected && selected.row >= first && selected.row < last) box.setAttribute("aria-activedescendant", "row-" + selected.row);
          else box.removeAttribute("aria-activedescendant");
          drawTicks();
        }

        function makeRow(span, index) {
          const hasChildren = span.children.length > 0;
          const label = h("div", { class: "label" },
            hasChildren
              ? h("button", { class: "toggle", tabindex: "-1", "aria-hidden": "true", onclick: (event) => { event.stopPropagation(); toggle(span); } }, span.isOpen ? "▼" : "▶")
              : h("span", { class: "toggle" }),
            stripe(span.service),
            span.isError ? h("span", { class: "mark", title: "error" }, "!")
              : !span.isOpen && span.errorsBelow ? h("span", { class: "mark below", title: "error below" }, "!") : null,
            h("span", { class: "service" }, span.service),
            h("span", { class: "operation" }, span.name + (span.isOrphan ? " (parent missing)" : "")),
            hasChildren && !span.isOpen ? h("span", { class: "hidden-count" }, `+${span.below}`) : null);
          label.style.paddingLeft = Math.min(span.depth, 30) * 14 + 4 + "px";
          label.title = `${span.service}: ${span.name}`;
          const row = h("div", {
            class: "row" + (matches.has(span) ? " match" : "") + (span === selected ? " selected" : ""),
            id: "row-" + index, role: "treeitem", "aria-level": span.depth + 1, "aria-selected": String(span === selected),
            "aria-expanded": hasChildren ? String(span.isOpen) : null,
            "aria-label": `${span.service} ${span.name}, ${durationText(span.length)}${span.isError ? ", error" : ""}`,
            onclick: () => select(span),
          }, label, h("div", { class: "track" }, barOf(span)));
          row.style.top = index * rowHeight + "px";
          return row;
        }

        function stripe(service) {
          const element = h("span", { class: "stripe" });
          element.style.background = colour(service);
          return element;
        }

        function barOf(span) {
          const width = range[1] - range[0];
          const left = (span.offset / trace.duration - range[0]) / width;
          const right = ((span.offset + span.length) / trace.duration - range[0]) / width;
          if (right < 0 || left > 1) return [];
          const from = Math.max(0, left), to = Math.min(1, right);
          const bar = h("div", { class: "bar" + (span.isError ? " bad" : "") });
          bar.style.left = from * 100 + "%";
          bar.style.width = Math.max(0, to - from) * 100 + "%";
          bar.style.background = colour(span.service);
          // Right of the bar, or left of it, or, where it fills the line, on it.
          const side = to <= 0.85 ? "" : from > 0.15 ? " left" : " inside";
          const time = h("span", { class: "time" + side }, durationText(span.length));
          time.style.left = (side ? from : to) * 100 + "%";
          return [bar, time];
        }

        function drawTicks() {
          const parts = $("ticks").clientWidth < 360 ? [0, 0.5, 1] : [0, 0.25, 0.5, 0.75, 1];
          $("ticks").replaceChildren(...parts.map((part) => {
            const tick = h("span", { class: part === 1 ? "last" : "" },
              durationText((range[0] + part * (range[1] - range[0])) * trace.duration));
            tick.style.left = part * 100 + "%";
            return tick;
          }));
        }

        function toggle(span) {
          if (!span.children.length) return;
          span.isOpen = !span.isOpen;
          listVisible();
        }

        function setAllOpen(isOpen) {
          for (const span of trace.spans) span.isOpen = isOpen || span.depth === 0;
          if (selected) reveal(selected); else listVisible();
        }

        function reveal(span) {
          for (let parent = span.parent; parent; parent = parent.parent) parent.isOpen = true;
          listVisible();
          const box = $("rows");
          const top = span.row * rowHeight;
          if (top < box.scrollTop || top + rowHeight > box.scrollTop + box.clientHeight) {
            box.scrollTop = top - box.clientHeight / 2;
          }
        }

        function select(span, isFromURL) {
          selected = span;
          if (span) reveal(span); else scheduleRows();
          showDetail();
          if (isFromURL) return;
          const parameters = new URLSearchParams(location.search);
          if (span) parameters.set("span", span.id); else parameters.delete("span");
          history.replaceState(null, "", "/?" + parameters);
        }

        // MARK: details

        function attributeTable(attributes) {
          return h("table", {}, attributes.map((attribute) =>
            h("tr", {}, h("th", { scope: "row" }, attribute.key), h("td", {}, valueText(attribute.value)))));
        }

        function section(title, attributes) {
          return attributes && attributes.length ? [h("h3", {}, title), attributeTable(attributes)] : [];
        }

        function showDetail() {
          const panel = $("detail");
          panel.hidden = !selected;
          if (!selected) return;
          const span = selected;
          const text = (key, value) => ({ key, value: { stringValue: value } });
          const status = span.raw.status || {};
          const facts = [
            text("service", span.service), text("kind", span.kind), text("start", durationText(span.offset) + " after the trace's start"),
            text("duration", durationText(span.length)),
            text("status", (["unset", "ok", "error"][status.code || 0] || "unset") + (status.message ? `: ${status.message}` : "")),
            text("span id", span.id), text("parent span id", span.parentID || "none"),
          ];
          if (span.scope.name) facts.push(text("scope", span.scope.name + (span.scope.version ? ` ${span.scope.version}` : "")));
          if (span.raw.traceState) facts.push(text("trace state", span.raw.traceState));
          const events = (span.raw.events || []).flatMap((event) => {
            const offset = Number(BigInt(event.timeUnixNano || 0) - trace.begin);
            return [h("h3", {}, `Event ${event.name || ""} at ${durationText(Math.max(0, offset))}`), attributeTable(event.attributes || [])];
          });
          const links = (span.raw.links || []).map((link) => h("tr", {},
            h("th", { scope: "row" }, "trace"),
            h("td", {}, h("a", { href: `/?trace=${encodeURIComponent(link.traceId || "")}&span=${encodeURIComponent(link.spanId || "")}`, "data-route": true },
              link.traceId || "")), section("Attributes", link.attributes)));
          panel.replaceChildren(
            h("button", { class: "close", "aria-label": "Close", onclick: () => select(null) }, "×"),
            h("h2", { class: span.isError ? "error" : "" }, span.name || "(no name)"),
            attributeTable(facts), ...section("Attributes", span.raw.attributes), ...events,
            ...(links.length ? [h("h3", {}, "Links"), h("table", {}, links)] : []),
            ...section("Resource", span.resource));
          panel.scrollTop = 0;
        }

        // MARK: finding

        function updateMatches() {
          const words = $("find").value.toLowerCase().split(/\s+/).filter(Boolean);
          matches = new Set();
          if (trace && words.length) {
            for (const span of trace.spans) if (words.every((word) => searchText(span).includes(word))) matches.add(span);
          }
          $("find-count").textContent = words.length ? counted(matches.size, "match").replace("matchs", "matches") : "";
          scheduleRows();
        }

        // The next span (or the one before) that satisfies a condition, going round at the end.
        function goTo(condition, step) {
          const all = trace.spans;
          if (!all.length) return;
          const from = selected ? all.indexOf(selected) : step > 0 ? -1 : 0;
          for (let i = 1; i <= all.length; i++) {
            const span = all[(((from + step * i) % all.length) + all.length) % all.length];
            if (condition(span)) return select(span);
          }
        }
        const nextMatch = (step) => goTo((span) => matches.has(span), step);
        const nextError = () => goTo((span) => span.isError, 1);

        // MARK: overview

        function drawOverview(selection) {
          if (!trace || $("trace").hidden) return;
          const canvas = $("overview");
          const scale = devicePixelRatio || 1;
          const width = canvas.clientWidth, height = canvas.clientHeight;
          canvas.width = width * scale;
          canvas.height = height * scale;
          const context = canvas.getContext("2d");
          context.scale(scale, scale);
          const line = Math.max(1, Math.min(4, height / Math.max(1, trace.spans.length)));
          trace.spans.forEach((span, index) => {
            const top = trace.spans.length * line <= height ? index * line : index / trace.spans.length * (height - 1);
            context.fillStyle = span.isError ? getComputedStyle(canvas).getPropertyValue("--error") : colour(span.service);
            context.fillRect(span.offset / trace.duration * width, top, Math.max(1, span.length / trace.duration * width), Math.max(1, line - 0.5));
          });
          const [from, to] = selection || range;
          context.fillStyle = "rgb(128 128 128 / 35%)";
          context.fillRect(0, 0, from * width, height);
          context.fillRect(to * width, 0, (1 - to) * width, height);
        }

        function zoom(from, to) {
          range = to - from < 1e-6 ? [0, 1] : [Math.max(0, from), Math.min(1, to)];
          drawOverview();
          scheduleRows();
        }
        """#

    static let mainScript = #"""
        function route() {
          const parameters = new URLSearchParams(location.search);
          $("statistics").hidden = !parameters.has("statistics");
          if (parameters.has("statistics")) showStatistics(parameters);
          else if (parameters.has("trace")) showTrace(parameters.get("trace"), parameters.get("span"));
          else showSearch(parameters);
        }

        function go(url) {
          history.pushState(null, "", url);
          route();
        }

        document.addEventListener("click", (event) => {
          const link = event.target.closest && event.target.closest("a[data-route]");
          if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
          event.preventDefault();
          go(link.getAttribute("href"));
        });
        addEventListener("popstate", route);

        $("lookup").addEventListener("submit", (event) => {
          event.preventDefault();
          const id = $("lookup-id").value.trim();
          if (id) go("/?" + new URLSearchParams({ trace: id }));
        });
        $("search-form").addEventListener("submit", (event) => {
          event.preventDefault();
          const parameters = searchToURL().toString();
          history.pushState(null, "", parameters ? "/?" + parameters : "/");
          runSearch();
        });
        $("search-form").elements.service.addEventListener("change", loadOperations);
        $("sort").addEventListener("change", showResults);
        $("more").addEventListener("click", () => runSearch(nextCursor));

        $("rows").addEventListener("scroll", scheduleRows, { passive: true });
        new ResizeObserver(() => { if (trace) { scheduleRows(); drawOverview(); } }).observe($("rows"));
        darkScheme.addEventListener("change", () => { if (trace) { scheduleRows(); drawOverview(); } });
        $("find").addEventListener("input", updateMatches);
        $("find").addEventListener("keydown", (event) => {
          if (event.key === "Enter") { event.preventDefault(); nextMatch(event.shiftKey ? -1 : 1); }
          if (event.key === "Escape") { $("find").value = ""; updateMatches(); $("rows").focus(); }
        });
        $("find-next").addEventListener("click", () => nextMatch(1));
        $("find-previous").addEventListener("click", () => nextMatch(-1));
        $("next-error").addEventListener("click", nextError);
        $("expand").addEventListener("click", () => setAllOpen(true));
        $("collapse").addEventListener("click", () => setAllOpen(false));
        $("reset-zoom").addEventListener("click", () => zoom(0, 1));

        $("rows").addEventListener("keydown", (event) => {
          if (!trace || !visible.length || event.ctrlKey || event.metaKey || event.altKey) return;
          const row = selected ? selected.row : -1;
          const page = Math.max(1, Math.floor($("rows").clientHeight / rowHeight) - 1);
          const moveTo = (index) => select(visible[Math.max(0, Math.min(visible.length - 1, index))]);
          switch (event.key) {
            case "ArrowDown": case "s": moveTo(row + 1); break;
            case "ArrowUp": case "w": moveTo(row - 1); break;
            case "PageDown": moveTo(row + page); break;
            case "PageUp": moveTo(row - page); break;
            case "Home": moveTo(0); break;
            case "End": moveTo(visible.length - 1); break;
            case "ArrowRight":
              if (selected && selected.children.length && !selected.isOpen) toggle(selected);
              else if (selected && selected.children.length) select(selected.children[0]);
              break;
            case "ArrowLeft":
              if (selected && selected.children.length && selected.isOpen) toggle(selected);
              else if (selected && selected.parent) select(selected.parent);
              break;
            case "Enter": case " ": if (selected) toggle(selected); break;
            default: return;
          }
          event.preventDefault();
        });

        document.addEventListener("keydown", (event) => {
          if ($("trace").hidden || !trace) return;
          if (event.ctrlKey && event.key === "b") { event.preventDefault(); $("find").focus(); return; }
          if (event.target.closest("input, select") || event.ctrlKey || event.metaKey || event.altKey) return;
          switch (event.key) {
            case "n": nextMatch(1); break;
            case "N": nextMatch(-1); break;
            case "e": nextError(); break;
            case "]": setAllOpen(true); break;
            case "[": setAllOpen(false); break;
            case "Escape": if (selected) select(null); else zoom(0, 1); break;
            default: return;
          }
          event.preventDefault();
        });

        // Dragging over the overview zooms; dragging the line beside the names makes room for them.
        $("overview").addEventListener("pointerdown", (event) => {
          const canvas = $("overview");
          const place = (move) => {
            const box = canvas.getBoundingClientRect();
            return Math.max(0, Math.min(1, (move.clientX - box.left) / box.width));
          };
          const start = place(event);
          canvas.setPointerCapture(event.pointerId);
          const move = (next) => drawOverview([Math.min(start, place(next)), Math.max(start, place(next))]);
          canvas.addEventListener("pointermove", move);
          canvas.addEventListener("pointerup", (last) => {
            canvas.removeEventListener("pointermove", move);
            const end = place(last);
            if (Math.abs(end - start) < 0.003) zoom(0, 1); else zoom(Math.min(start, end), Math.max(start, end));
          }, { once: true });
        });
        document.querySelector(".handle").addEventListener("pointerdown", (event) => {
          const handle = event.currentTarget;
          const chart = document.querySelector(".chart");
          handle.setPointerCapture(event.pointerId);
          const move = (next) => {
            const box = chart.getBoundingClientRect();
            const share = Math.max(0.15, Math.min(0.8, (next.clientX - box.left) / box.width));
            chart.style.setProperty("--names", share * 100 + "%");
          };
          handle.addEventListener("pointermove", move);
          handle.addEventListener("pointerup", () => handle.removeEventListener("pointermove", move), { once: true });
        });

        route();
        """#
}
