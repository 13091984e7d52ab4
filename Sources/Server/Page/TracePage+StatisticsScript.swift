extension TracePage {
    /// The view of traffic: estimates from kept traces beside the exact counts.
    static let statisticsScript = #"""
        const statisticsDefaults = { by: "service", service: "", time_range: "1h" };
        let statisticsNumber = 0;

        function statisticsURL(changes) {
          const form = $("statistics-form").elements;
          const values = { by: form.by.value, service: form.service.value, time_range: form.time_range.value, ...changes };
          const parameters = new URLSearchParams({ statistics: values.by });
          for (const name of ["service", "time_range"]) {
            if (values[name] !== statisticsDefaults[name]) parameters.set(name, values[name]);
          }
          return "/?" + parameters;
        }

        function numberText(value) {
          if (value === null) return "?";
          return value >= 1000 ? Math.round(value).toLocaleString("en") : threeDigits(value);
        }

        // The estimate with its interval, and below it what was counted.
        function estimateCell(estimate, exact, text) {
          if (!estimate && (exact === undefined || exact === null)) return h("td", { class: "number" }, "–");
          const cell = h("td", { class: "number" });
          if (estimate) {
            const isCertain = estimate.lower === estimate.value && estimate.upper === estimate.value;
            const range = isCertain ? "" : ` (${text(estimate.lower)} to ${text(estimate.upper)})`;
            cell.append(h("div", {}, text(estimate.value), h("span", { class: "interval" }, range)));
          } else cell.append(h("div", {}, "–"));
          if (exact !== undefined && exact !== null) cell.append(h("div", { class: "exact" }, "exact " + text(exact)));
          return cell;
        }

        function statisticsRow(row, name, link) {
          const exact = row.exact || { durationMs: {} };
          const percent = (value) => value === null ? "?" : threeDigits(value * 100) + " %";
          const duration = (value) => value === null ? "?" : durationText(value * 1e6);
          const durations = ["p50", "p95", "p99"].map((key) =>
            estimateCell(row.estimate.durationMs[key], exact.durationMs[key], duration));
          return h("tr", {},
            h("td", {}, link ? h("a", { href: link, "data-route": true }, name) : name),
            h("td", { class: "number" }, numberText(row.sample.traces)),
            estimateCell(row.estimate.traces, exact.traces, numberText),
            estimateCell(row.estimate.errorRate, exact.errorRate, percent), durations);
        }

        async function showStatistics(parameters) {
          const number = ++statisticsNumber;
          document.title = "Tailrace: statistics";
          $("search").hidden = true;
          $("trace").hidden = true;
          const form = $("statistics-form").elements;
          form.by.value = parameters.get("statistics") === "operation" ? "operation" : "service";
          for (const name of ["service", "time_range"]) {
            const value = parameters.has(name) ? parameters.get(name) : statisticsDefaults[name];
            const field = form[name];
            if (![...field.options].some((option) => option.value === value)) field.append(new Option(value || "any service", value));
            field.value = value;
          }
          notice("");
          const query = new URLSearchParams({ by: form.by.value });
          if (form.service.value) query.set("service", form.service.value);
          if (form.time_range.value) query.set("time_range", form.time_range.value);
          try {
            const answer = await fetchJSON("v1/stats?" + query);
            if (number !== statisticsNumber) return;
            const name = (row) => form.by.value === "operation" && !form.service.value
              ? `${row.service}: ${row.operation}` : row.operation || row.service || "(no name)";
            const link = (row) => form.by.value === "service"
              ? statisticsURL({ by: "operation", service: row.service })
              : "/?" + new URLSearchParams({ service: row.service, operation: row.operation });
            $("statistics-rows").replaceChildren(
              statisticsRow(answer.total, "all"), ...answer.groups.map((row) => statisticsRow(row, name(row), link(row))));
            if (answer.exactMissing) notice("No exact counts: " + answer.exactMissing + ".", false);
          } catch (error) {
            if (number !== statisticsNumber) return;
            $("statistics-rows").replaceChildren();
            notice(error.message);
          }
          try {
            const { services } = await fetchJSON("v1/services");
            for (const service of services) {
              if (![...form.service.options].some((option) => option.value === service)) {
                form.service.append(new Option(service, service));
              }
            }
          } catch (error) { /* the table has said what is wrong */ }
        }

        for (const name of ["by", "service", "time_range"]) {
          $("statistics-form").elements[name].addEventListener("change", () => go(statisticsURL({})));
        }
        """#

    static let statisticsMarkup = #"""
        <section id="statistics" aria-label="Statistics" hidden>
          <form id="statistics-form">
            <label>By <select name="by">
              <option value="service">service</option><option value="operation">operation</option>
            </select></label>
            <label>Root service <select name="service"><option value="">any service</option></select></label>
            <label>Look back <select name="time_range">
              <option value="5m">5 minutes</option><option value="15m">15 minutes</option>
              <option value="1h">1 hour</option><option value="6h">6 hours</option>
              <option value="1d">1 day</option><option value="7d">7 days</option><option value="">everything</option>
            </select></label>
          </form>
          <table>
            <thead><tr><th>Root</th><th>Kept traces</th><th>All traces</th><th>Error rate</th><th>p50</th><th>p95</th>
              <th>p99</th></tr></thead>
            <tbody id="statistics-rows"></tbody>
          </table>
          <p>Estimated from the kept traces, with the 95 % confidence interval; below, what was counted.</p>
        </section>
        """#

    static let statisticsStyle = #"""
        #statistics { flex: 1; overflow: auto; padding: 12px 16px; }
        #statistics form { display: flex; gap: 16px; margin-bottom: 12px; }
        #statistics label { color: var(--muted); }
        #statistics th { width: auto; }
        #statistics td { white-space: normal; font-size: 13px; }
        #statistics .interval, #statistics .exact, #statistics p { color: var(--muted); font-size: 12px; }
        """#
}
