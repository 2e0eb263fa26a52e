/// The page: one HTML text that asks `/api/state` every second, and loads nothing else from anywhere.
///
/// What comes from outside reaches the page as text only, never as HTML.
enum DashboardPage {
  /// The page.
  ///
  /// - Parameter nonce: what its style and its script carry, so that the browser takes no others.
  /// - Returns: HTML.
  static func html(nonce: String) -> String {
    """
    <!doctype html>
    <html lang="en">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>Bulkhead</title>
    <link rel="icon" href="data:,">
    <style nonce="\(nonce)">\(style)</style>
    </head>
    <body>
    \(body)
    <script nonce="\(nonce)">\(script)</script>
    </body>
    </html>

    """
  }

  private static let style = """

    :root { --ground: #f6f7f8; --sheet: #fff; --ink: #1c2126; --faint: #68737d; --line: #dfe3e6;
      --good: #1a7f4b; --bad: #b3261e; --warn: #8a5a00; --mark: #2456a6; }
    @media (prefers-color-scheme: dark) {
      :root { --ground: #12161a; --sheet: #1a2026; --ink: #e4e8eb; --faint: #93a0ab; --line: #2d363e;
        --good: #5cc98f; --bad: #ff8a80; --warn: #e0b050; --mark: #86b0f0; } }
    * { box-sizing: border-box; }
    body { margin: 0 auto; max-width: 82rem; padding: 1rem; background: var(--ground); color: var(--ink);
      font: 14px/1.45 system-ui, sans-serif; font-variant-numeric: tabular-nums; }
    header { display: flex; flex-wrap: wrap; gap: .25rem 1rem; align-items: baseline; margin-bottom: .75rem; }
    h1 { font-size: 1.25rem; margin: 0; }
    h2 { font-size: .95rem; margin: 0 0 .5rem; }
    section { background: var(--sheet); border: 1px solid var(--line); border-radius: 8px; padding: .8rem 1rem;
      margin-bottom: .9rem; }
    .scroll { overflow-x: auto; }
    table { border-collapse: collapse; width: 100%; }
    th { text-align: left; font-weight: 500; color: var(--faint); font-size: .82rem; }
    th, td { padding: .22rem .9rem .22rem 0; border-bottom: 1px solid var(--line); white-space: nowrap;
      vertical-align: top; }
    tbody tr:last-child td { border-bottom: 0; }
    .n { text-align: right; }
    .wide { white-space: normal; min-width: 14rem; }
    .faint, .empty { color: var(--faint); }
    .good { color: var(--good); } .bad { color: var(--bad); } .warn { color: var(--warn); }
    .pre { white-space: pre-line; }
    .tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.2rem, 1fr)); gap: .6rem 1rem; }
    .tiles div span { display: block; color: var(--faint); font-size: .82rem; }
    .tiles div b { font-size: 1.1rem; font-weight: 600; }
    svg { display: block; width: 100%; height: 7rem; margin-top: .8rem; }
    polyline { fill: none; stroke: var(--mark); stroke-width: 2; vector-effect: non-scaling-stroke; }
    .axis { display: flex; justify-content: space-between; color: var(--faint); font-size: .82rem; }
    button { font: inherit; font-size: .82rem; color: var(--ink); background: var(--ground);
      border: 1px solid var(--line); border-radius: 5px; padding: .1rem .55rem; margin-right: .3rem; cursor: pointer; }
    button:disabled { opacity: .45; cursor: default; }
    details { border-bottom: 1px solid var(--line); padding: .3rem 0; }
    details:last-child { border-bottom: 0; }
    summary { cursor: pointer; }
    .counters { display: grid; grid-template-columns: repeat(auto-fill, minmax(17rem, 1fr)); gap: 0 1.5rem;
      padding: .4rem 0 .4rem 1rem; }
    .counters div { display: flex; justify-content: space-between; gap: 1rem; }

    """

  private static let body = """
    <header><h1>Bulkhead</h1><span id="says" class="faint">connecting</span><span id="note" class="bad"></span></header>
    <section><h2>Profit and loss</h2><div id="tiles" class="tiles"></div>
    <svg id="chart" viewBox="0 0 1000 100" preserveAspectRatio="none" role="img" aria-label="equity over time">
    <polyline id="equity"></polyline></svg><div class="axis"><span id="low"></span><span id="span"></span>
    <span id="high"></span></div></section>
    <section><h2>Processes</h2><div class="scroll"><table id="processes"></table></div></section>
    <section><h2>Venues</h2><div class="scroll"><table id="venues"></table></div></section>
    <section><h2>Alerts</h2><div class="scroll"><table id="alerts"></table></div></section>
    <section><h2>Opportunities</h2><div class="scroll"><table id="opportunities"></table></div></section>
    <section><h2>Positions</h2><div class="scroll"><table id="positions"></table></div></section>
    <section><h2>Orders</h2><div class="scroll"><table id="orders"></table></div></section>
    <section><h2>Fills</h2><div class="scroll"><table id="fills"></table></div></section>
    <section><h2>Counters</h2><div id="health"></div></section>
    """
}
