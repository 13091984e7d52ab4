extension TracePage {
    /// From OTLP/JSON to the list of rows. The same rules as `TraceView` in the module Query.
    static let traceModelScript = #"""
        const kinds = ["unspecified", "internal", "server", "client", "producer", "consumer"];

        function valueText(value) {
          if (!value) return "";
          if (value.stringValue !== undefined) return value.stringValue;
          if (value.intValue !== undefined) return String(value.intValue);
          if (value.boolValue !== undefined) return String(value.boolValue);
          if (value.doubleValue !== undefined) return String(value.doubleValue);
          if (value.bytesValue !== undefined) return "base64 " + value.bytesValue;
          if (value.arrayValue) return "[" + (value.arrayValue.values || []).map(valueText).join(", ") + "]";
          if (value.kvlistValue) {
            return "{" + (value.kvlistValue.values || []).map((entry) => `${entry.key}: ${valueText(entry.value)}`).join(", ") + "}";
          }
          return "";
        }

        function readSpans(request) {
          const spans = [];
          for (const group of request.resourceSpans || []) {
            const resource = (group.resource && group.resource.attributes) || [];
            const named = resource.find((attribute) => attribute.key === "service.name");
            const service = (named && valueText(named.value)) || "unknown";
            for (const scopeGroup of group.scopeSpans || []) {
              for (const span of scopeGroup.spans || []) {
                const start = BigInt(span.startTimeUnixNano || 0);
                const end = BigInt(span.endTimeUnixNano || 0);
                spans.push({
                  raw: span, resource, scope: scopeGroup.scope || {}, service, start,
                  length: end > start ? Number(end - start) : 0, offset: 0,
                  id: span.spanId || "", parentID: span.parentSpanId || "", name: span.name || "",
                  kind: kinds[span.kind || 0] || "unspecified", isError: Boolean(span.status && span.status.code === 2),
                  children: [], parent: null, depth: 0, isOrphan: false, isOpen: true, below: 0, errorsBelow: 0,
                });
              }
            }
          }
          return spans;
        }

        function makeTrace(request) {
          const spans = readSpans(request);
          let begin = null;
          for (const span of spans) if (begin === null || span.start < begin) begin = span.start;
          let duration = 1;
          for (const span of spans) {
            span.offset = Number(span.start - begin);
            duration = Math.max(duration, span.offset + span.length);
          }
          const byID = new Map();
          const clients = new Map();
          for (const span of spans) {
            if (span.kind === "client" && !clients.has(span.id)) clients.set(span.id, span);
            const known = byID.get(span.id);
            if (!known || (span.kind === "server" && known.kind !== "server")) byID.set(span.id, span);
          }
          const roots = [];
          for (const span of spans) {
            const shared = span.kind === "server" ? clients.get(span.id) : undefined;
            const parent = shared || (span.parentID ? byID.get(span.parentID) : undefined);
            if (parent && parent !== span) {
              span.parent = parent;
              parent.children.push(span);
            } else {
              span.isOrphan = Boolean(span.parentID) && !parent;
              roots.push(span);
            }
          }
          const order = (a, b) => a.offset - b.offset || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
          for (const span of spans) span.children.sort(order);
          roots.sort(order);

          // Depth first with a stack of our own: a chain of 100,000 spans must not overflow the browser's.
          const all = [];
          const placed = new Set();
          const place = (starts) => {
            const stack = [...starts].reverse();
            while (stack.length) {
              const span = stack.pop();
              if (placed.has(span)) continue;
              placed.add(span);
              span.depth = span.parent ? span.parent.depth + 1 : 0;
              all.push(span);
              for (let i = span.children.length - 1; i >= 0; i--) stack.push(span.children[i]);
            }
          };
          place(roots);
          if (all.length < spans.length) {
            // The rest hangs on cycles: cut each at its earliest span.
            for (const span of [...spans].sort(order)) {
              if (placed.has(span)) continue;
              span.parent.children = span.parent.children.filter((child) => child !== span);
              span.parent = null;
              place([span]);
            }
          }
          let depth = 0;
          const services = new Map();
          for (let i = all.length - 1; i >= 0; i--) {
            const span = all[i];
            depth = Math.max(depth, span.depth + 1);
            services.set(span.service, (services.get(span.service) || 0) + 1);
            if (span.parent) {
              span.parent.below += span.below + 1;
              span.parent.errorsBelow += span.errorsBelow + (span.isError ? 1 : 0);
            }
          }
          return {
            spans: all, begin: begin || 0n, duration, depth, services: [...services].sort((a, b) => b[1] - a[1]),
            errors: all.filter((span) => span.isError).length, orphans: all.filter((span) => span.isOrphan).length,
            info: request.tailrace || {},
          };
        }

        // What "find in trace" looks through; made when first asked for.
        function searchText(span) {
          if (span.text === undefined) {
            const attributes = [...(span.raw.attributes || []), ...span.resource];
            for (const event of span.raw.events || []) {
              attributes.push({ key: "event", value: { stringValue: event.name || "" } }, ...(event.attributes || []));
            }
            span.text = [span.service, span.name, span.id, span.kind, span.raw.status ? span.raw.status.message || "" : "",
              ...attributes.map((attribute) => `${attribute.key}=${valueText(attribute.value)}`)].join("\n").toLowerCase();
          }
          return span.text;
        }
        """#
}
