extension TracePage {
    /// Helpers of both views. `h` is the only way in which elements are made: text from spans goes into text nodes and
    /// attributes, never into markup.
    static let commonScript = #"""
        const $ = (id) => document.getElementById(id);

        function h(tag, properties, ...children) {
          const element = document.createElement(tag);
          for (const [key, value] of Object.entries(properties || {})) {
            if (value === undefined || value === null || value === false) continue;
            if (key === "class") element.className = value;
            else if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
            else element.setAttribute(key, value === true ? "" : value);
          }
          for (const child of children.flat()) {
            if (child !== null && child !== undefined && child !== false) element.append(child);
          }
          return element;
        }

        function threeDigits(value) {
          return String(Number(value.toPrecision(3)));
        }

        function durationText(nanoseconds) {
          if (nanoseconds <= 0) return "0";
          if (nanoseconds < 1e3) return Math.round(nanoseconds) + "ns";
          if (nanoseconds < 999.5e3) return threeDigits(nanoseconds / 1e3) + "µs";
          if (nanoseconds < 999.5e6) return threeDigits(nanoseconds / 1e6) + "ms";
          if (nanoseconds < 59.95e9) return threeDigits(nanoseconds / 1e9) + "s";
          const seconds = Math.round(nanoseconds / 1e9);
          if (seconds < 3600) return Math.floor(seconds / 60) + "m" + String(seconds % 60).padStart(2, "0") + "s";
          return Math.floor(seconds / 3600) + "h" + String(Math.floor(seconds / 60) % 60).padStart(2, "0") + "m";
        }

        function timeText(nanoseconds) {
          const date = new Date(Number(nanoseconds / 1000000n));
          const pad = (number, width = 2) => String(number).padStart(width, "0");
          return `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())} ` +
            `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}.${pad(date.getMilliseconds(), 3)}`;
        }

        // A service keeps its colour from page to page, because its name chooses it; only where two names choose the same
        // one does the second take the next that is free. Red is left for errors.
        const hues = [210, 28, 285, 165, 325, 100, 48, 245];
        const colours = new Map();
        const taken = new Set();
        function colour(service) {
          if (!colours.has(service)) {
            let hash = 2166136261;
            for (let i = 0; i < service.length; i++) hash = Math.imul(hash ^ service.charCodeAt(i), 16777619) >>> 0;
            // Eight hues that are told apart at a glance, then the same ones lighter, then anything goes.
            const first = ((hash ^ hash >>> 15) >>> 0) % hues.length;
            let index = first;
            for (let i = 0; i < hues.length * 2 && taken.has(index); i++) {
              index = (first + i) % hues.length + (i < hues.length ? 0 : hues.length);
            }
            taken.add(index);
            colours.set(service, index);
          }
          const index = colours.get(service);
          const lightness = (darkScheme.matches ? 62 : 42) + (index < hues.length ? 0 : darkScheme.matches ? -16 : 16);
          return `hsl(${hues[index % hues.length]} 55% ${lightness}%)`;
        }
        const darkScheme = matchMedia("(prefers-color-scheme: dark)");

        function counted(count, noun) {
          return `${count} ${noun}${count === 1 ? "" : "s"}`;
        }

        function probabilityText(value) {
          const number = Number(value);
          return number >= 1 ? "1" : number >= 0.0001 ? String(Number(number.toFixed(4))) : "<0.0001";
        }

        function notice(text, isBad = true) {
          $("notice").hidden = !text;
          $("notice").textContent = text || "";
          $("notice").className = isBad ? "notice bad" : "notice";
        }

        async function fetchJSON(url) {
          let response;
          try {
            response = await fetch(url);
          } catch (error) {
            throw new Error("The server cannot be reached. Is tailrace still running?");
          }
          let body = null;
          try { body = await response.json(); } catch (error) { /* not JSON: the status says enough */ }
          if (!response.ok) throw new Error(body && body.error ? body.error.message : `HTTP ${response.status}`);
          return body;
        }
        """#

    static let searchScript = #"""
        const searchDefaults = { time_range: "1h", limit: "20" };
        const searchFields = ["service", "operation", "tag", "min_duration", "max_duration", "error", "time_range", "limit"];
        let results = [];
        let nextCursor = null;
        let searchNumber = 0;

        // `key=value key2="two words"` as separate conditions.
        function splitTags(text) {
          return (text.match(/(?:[^\s"]|"[^"]*")+/g) || []).map((tag) => tag.replaceAll('"', ""));
        }

        function searchFromURL(parameters) {
          const form = $("search-form");
          for (const name of searchFields) {
            const value = parameters.has(name) ? parameters.get(name) : searchDefaults[name] || "";
            const field = form.elements[name];
            if (field.type === "checkbox") field.checked = value === "true";
            else if (field.tagName === "SELECT") {
              if (![...field.options].some((option) => option.value === value)) field.append(new Option(value, value));
              field.value = value;
            } else field.value = value;
          }
        }

        function searchToURL() {
          const parameters = new URLSearchParams();
          const form = $("search-form");
          for (const name of searchFields) {
            const field = form.elements[name];
            const value = field.type === "checkbox" ? (field.checked ? "true" : "") : field.value.trim();
            if (value !== (searchDefaults[name] || "")) parameters.set(name, value);
          }
          return parameters;
        }

        function apiParameters() {
          const parameters = new URLSearchParams();
          const form = $("search-form");
          for (const name of searchFields) {
            const field = form.elements[name];
            const value = field.type === "checkbox" ? (field.checked ? "true" : "") : field.value.trim();
            if (!value) continue;
            if (name === "tag") splitTags(value).forEach((tag) => parameters.append("tag", tag));
            else parameters.set(name, value);
          }
          return parameters;
        }

        async function loadServices() {
          const select = $("search-form").elements.service;
          const current = select.value;
          try {
            const { services } = await fetchJSON("v1/services");
            services.forEach(colour);
            const names = new Set(services);
            if (current) names.add(current);
            select.replaceChildren(new Option("any service", ""), ...[...names].sort().map((name) => new Option(name, name)));
            select.value = current;
          } catch (error) { /* the search itself will say what is wrong */ }
        }

        async function loadOperations() {
          const service = $("search-form").elements.service.value;
          $("operations").replaceChildren();
          if (!service) return;
          try {
            const { operations } = await fetchJSON("v1/operations?" + new URLSearchParams({ service }));
            const names = [...new Set(operations.map((operation) => operation.name))];
            $("operations").replaceChildren(...names.map((name) => h("option", { value: name })));
          } catch (error) { /* suggestions only */ }
        }

        async function runSearch(cursor) {
          const number = ++searchNumber;
          const parameters = apiParameters();
          if (cursor) parameters.set("cursor", cursor);
          notice("");
          $("result-count").textContent = "Searching…";
          const began = performance.now();
          try {
            const page = await fetchJSON("v1/traces?" + parameters);
            if (number !== searchNumber) return;
            results = cursor ? results.concat(page.traces) : page.traces;
            nextCursor = page.nextCursor;
            const time = Math.round(performance.now() - began);
            $("result-count").textContent = `${counted(results.length, "trace")}${nextCursor ? " (there are more)" : ""} in ${time} ms`;
            showResults();
            if (page.unreadableSegments) {
              notice(`${counted(page.unreadableSegments.length, "segment")} could not be read; results may be missing.`);
            } else if (!results.length) {
              notice("Nothing found. Traces appear some seconds after their last span; a longer look-back may help.", false);
            }
          } catch (error) {
            if (number !== searchNumber) return;
            results = [];
            nextCursor = null;
            $("result-count").textContent = "";
            showResults();
            notice(error.message);
          }
        }

        const orders = {
          newest: (a, b) => compareBig(b.startTimeUnixNano, a.startTimeUnixNano),
          oldest: (a, b) => compareBig(a.startTimeUnixNano, b.startTimeUnixNano),
          longest: (a, b) => b.durationNanos - a.durationNanos,
          shortest: (a, b) => a.durationNanos - b.durationNanos,
          spans: (a, b) => b.spanCount - a.spanCount,
          errors: (a, b) => b.errorCount - a.errorCount,
        };

        function compareBig(a, b) {
          return a.length === b.length ? (a < b ? -1 : a > b ? 1 : 0) : a.length - b.length;
        }

        function showResults() {
          const longest = results.reduce((longest, trace) => Math.max(longest, Number(trace.durationNanos)), 1);
          const sorted = [...results].sort(orders[$("sort").value]);
          $("traces").replaceChildren(...sorted.map((trace) => h("li", {}, resultRow(trace, longest))));
          $("more").hidden = !nextCursor;
        }

        function spansText(stored, leftOut) {
          return leftOut ? `${stored} of ${counted(stored + leftOut, "span")} (outline)` : counted(stored, "span");
        }

        function resultRow(trace, longest) {
          const meter = h("div", { class: trace.errorCount ? "bad" : "" });
          meter.style.width = `${100 * Number(trace.durationNanos) / longest}%`;
          const chips = trace.services.slice(0, 6).map((service) => {
            const chip = h("span", { class: "chip" }, service);
            chip.style.borderColor = colour(service);
            return chip;
          });
          const more = trace.services.length > 6 ? h("span", {}, `and ${trace.services.length - 6} more`) : null;
          const root = trace.hasRoot ? "" : " (no root span)";
          return h("a", { class: "trace", href: "/?trace=" + trace.traceID, "data-route": true },
            h("div", { class: "head" },
              h("span", { class: "name" }, `${trace.rootServiceName}: ${trace.rootTraceName}${root}`),
              h("span", { class: "id" }, trace.traceID.replace(/^0{1,24}/, "").slice(0, 8)),
              h("span", { class: "length" }, durationText(Number(trace.durationNanos)))),
            h("div", { class: "meter" }, meter),
            h("div", { class: "facts" },
              h("span", {}, spansText(trace.spanCount, trace.leftOutSpanCount)),
              trace.errorCount ? h("span", { class: "error" }, counted(trace.errorCount, "error")) : null,
              chips, more,
              h("span", { title: trace.reason }, `kept by ${trace.policy || "no policy"}, p=${probabilityText(trace.probability)}`),
              h("span", { class: "when" }, timeText(BigInt(trace.startTimeUnixNano)))));
        }

        async function showSearch(parameters) {
          document.title = "Tailrace";
          $("trace").hidden = true;
          $("search").hidden = false;
          searchFromURL(parameters);
          await loadServices();
          loadOperations();
          await runSearch();
        }
        """#
}
