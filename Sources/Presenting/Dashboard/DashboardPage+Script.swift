extension DashboardPage {
  /// Rows and cells are made once and their text is changed, so that a button keeps its focus and a list stays open.
  static let script = #"""

    'use strict';
    const $ = id => document.getElementById(id);
    const make = (tag, cls, text) => {
      const node = document.createElement(tag);
      if (cls) node.className = cls;
      if (text !== undefined) node.textContent = text;
      return node;
    };
    const put = (node, text, cls) => {
      if (node.textContent !== text) node.textContent = text;
      if (cls !== undefined && node.className !== cls) node.className = cls;
    };
    const number = (value, digits) => value === null || value === undefined ? '–' :
      Number(value).toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
    const signed = (value, digits) => (value > 0 ? '+' : '') + number(value, digits);
    const tone = value => value > 0 ? 'good' : value < 0 ? 'bad' : '';
    const short = id => id.length <= 24 ? id : id.slice(0, 6) + '…' + id.slice(-4);
    const clock = time => { const date = new Date(time); return isNaN(date) ? time : date.toLocaleTimeString('en-GB'); };
    const life = seconds => {
      if (seconds === null || seconds === undefined) return '–';
      if (seconds < 10) return seconds < 1 ? Math.round(seconds * 1000) + ' ms' : seconds.toFixed(1) + ' s';
      const s = Math.floor(seconds), two = x => String(x).padStart(2, '0');
      const days = Math.floor(s / 86400), hours = Math.floor(s / 3600) % 24, minutes = Math.floor(s / 60) % 60;
      if (s < 3600) return minutes + ':' + two(s % 60);
      return (days ? days + ' d ' : '') + hours + ':' + two(minutes) + ':' + two(s % 60);
    };

    // columns: [title, class, value(row) -> text or [text, class]]
    function table(id, columns, rows, empty) {
      const node = $(id);
      if (!node.tHead) {
        const head = node.createTHead().insertRow();
        for (const [title, cls] of columns) head.append(make('th', cls, title));
        node.createTBody();
      }
      const body = node.tBodies[0];
      node.tHead.hidden = !rows.length;
      const wanted = rows.length || 1;
      while (body.rows.length > wanted) body.deleteRow(-1);
      while (body.rows.length < wanted) body.insertRow();
      if (!rows.length) {
        const line = body.rows[0];
        if (line.dataset.empty !== 'yes') {
          line.replaceChildren(make('td', 'empty', empty));
          line.dataset.empty = 'yes';
        }
        return body;
      }
      rows.forEach((row, place) => {
        const line = body.rows[place];
        if (line.dataset.empty === 'yes') { line.replaceChildren(); delete line.dataset.empty; }
        columns.forEach(([, cls, value], column) => {
          const cell = line.cells[column] || line.insertCell();
          const told = value(row, cell);
          if (told === undefined) return;
          const [text, extra] = Array.isArray(told) ? told : [told, ''];
          put(cell, text, (cls + ' ' + (extra || '')).trim());
        });
      });
      return body;
    }

    const busy = new Set();
    async function tell(name, verb) {
      if (verb !== 'start' && !confirm(verb + ' ' + name + '?')) return;
      busy.add(name);
      put($('note'), '');
      try {
        const path = '/api/process/' + encodeURIComponent(name) + '/' + verb;
        const answer = await fetch(path, { method: 'POST' });
        const told = await answer.json();
        if (!answer.ok) put($('note'), name + ': ' + told.message);
      } catch (error) {
        put($('note'), name + ': no answer');
      }
      busy.delete(name);
    }

    function buttons(row, cell, own) {
      if (!cell.firstChild) {
        for (const verb of ['restart', 'stop', 'start']) {
          const button = make('button', '', verb);
          button.onclick = () => tell(cell.dataset.name, verb);
          cell.append(button);
        }
      }
      cell.dataset.name = row.name;
      const isUp = row.pid > 0;
      for (const button of cell.children) {
        button.disabled = busy.has(row.name) || (row.name === own && button.textContent !== 'start') ||
          (button.textContent === 'start' ? isUp : !isUp);
      }
    }

    function stateTone(row) {
      if (row.state === 'RUNNING' && row.ready) return 'good';
      return ['FATAL', 'BACKOFF', 'EXITED'].includes(row.state) ? 'bad' : 'warn';
    }

    function showProfit(state) {
      const profit = state.profit || {}, counts = state.counts;
      const tiles = [
        ['equity', number(profit.equity, 2), ''], ['net', signed(profit.net ?? null, 2), tone(profit.net)],
        ['realised', signed(profit.realised ?? null, 2), tone(profit.realised)],
        ['unrealised', signed(profit.unrealised ?? null, 2), tone(profit.unrealised)],
        ['fees', number(profit.fees, 2), ''], ['cash', number(profit.cash, 2), ''],
        ['open opportunities', number(state.open_count, 0) + ' of ' + number(counts.opened, 0), ''],
        ['orders', number(counts.orders, 0), ''], ['fills', number(counts.fills, 0), ''],
        ['settlements', number(counts.settlements, 0), ''], ['live books', number(counts.books_live, 0), ''],
      ];
      const node = $('tiles');
      while (node.children.length < tiles.length) {
        const tile = make('div');
        tile.append(make('span'), make('b'));
        node.append(tile);
      }
      tiles.forEach(([title, text, cls], place) => {
        put(node.children[place].children[0], title);
        put(node.children[place].children[1], text, cls);
      });
      const line = profit.equity_line || [];
      if (line.length < 2) return;
      const values = line.map(point => point[1]), low = Math.min(...values), high = Math.max(...values);
      const first = line[0][0], last = line[line.length - 1][0], height = high - low || 1;
      $('equity').setAttribute('points', line.map(([time, value]) =>
        ((time - first) / (last - first || 1) * 1000).toFixed(1) + ',' +
        (high === low ? 50 : 96 - (value - low) / height * 92).toFixed(1)).join(' '));
      put($('low'), 'lowest ' + number(low, 2));
      put($('high'), 'highest ' + number(high, 2));
      put($('span'), life(last - first));
    }

    function showHealth(list) {
      const node = $('health'), names = new Set(list.map(one => one.name));
      for (const old of [...node.children]) if (!names.has(old.dataset.name)) old.remove();
      for (const one of list) {
        let box = [...node.children].find(child => child.dataset.name === one.name);
        if (!box) {
          box = make('details');
          box.dataset.name = one.name;
          box.append(make('summary'), make('div', 'counters'));
          node.append(box);
        }
        const rate = one.messages_per_second === null ? '' : ' · ' + number(one.messages_per_second, 0) + ' messages/s';
        const old = one.age_seconds > 5 ? ' · silent for ' + life(one.age_seconds) : '';
        put(box.children[0], one.name + rate + old, one.age_seconds > 5 ? 'warn' : '');
        if (!box.open) continue;
        const counters = Object.entries(one.counters), grid = box.children[1];
        while (grid.children.length > counters.length) grid.lastChild.remove();
        while (grid.children.length < counters.length) {
          const pair = make('div');
          pair.append(make('span', 'faint'), make('span'));
          grid.append(pair);
        }
        counters.forEach(([key, value], place) => {
          put(grid.children[place].children[0], key.replaceAll('_', ' '));
          put(grid.children[place].children[1], number(value, 0));
        });
      }
    }

    const legs = all => {
      const lines = all.slice(0, 4).map(leg =>
        leg.side + ' ' + number(leg.quantity, 2) + ' at ' + leg.limit + ' ' + where(leg));
      if (all.length > 4) lines.push('and ' + (all.length - 4) + ' more');
      return lines.join('\n');
    };
    const where = row => row.venue + ' ' + short(row.symbol);

    function show(state) {
      table('processes', [
        ['name', '', row => row.name], ['state', '', row => [row.state.toLowerCase(), stateTone(row)]],
        ['ready', '', row => row.ready ? 'yes' : 'no'], ['pid', 'n', row => row.pid > 0 ? String(row.pid) : '–'],
        ['uptime', 'n', row => life(row.uptime_seconds)],
        ['restarts', 'n', row => [number(row.restarts, 0), row.restarts > 0 ? 'warn' : '']],
        ['', '', (row, cell) => buttons(row, cell, state.name)], ['says', 'faint', row => row.description.startsWith('pid ') ? row.status : row.description],
      ], state.processes, 'the supervisor has not been heard yet');
      table('venues', [
        ['venue', '', row => row.venue], ['state', '', row => [row.state, row.state === 'open' ? 'good' : 'bad']],
        ['since', 'n', row => life(row.since_seconds)],
        ['heard', 'n', row => [life(row.age_seconds), row.age_seconds > 5 ? 'warn' : '']],
        ['by', '', row => row.publisher], ['reason', 'wide', row => row.reason],
      ], state.venues, 'none has been heard yet');
      table('alerts', [
        ['time', '', row => clock(row.time)], ['process', '', row => row.subject], ['reason', 'wide', row => row.text],
      ], state.alerts.slice(0, 10), 'none');
      table('opportunities', [
        ['state', '', row => [row.state, row.state === 'open' ? 'good' : 'faint']],
        ['strategy', '', row => row.strategy], ['event', '', row => short(row.event)],
        ['legs', 'pre', row => legs(row.legs)],
        ['cost', 'n', row => number(row.cost, 2)],
        ['profit', 'n', row => [number(row.profit, 4), tone(row.profit)]],
        ['return', 'n', row => number(row.return * 100, 2) + ' %'],
        ['lifetime', 'n', row => life(row.lifetime_ms / 1000)],
      ], state.opportunities, 'none, open or lately');
      table('positions', [
        ['strategy', '', row => row.strategy],
        ['market', 'wide', row => row.question || short(row.market)], ['outcome', '', row => row.outcome],
        ['quantity', 'n', row => number(row.quantity, 2)], ['in sets', 'n', row => number(row.in_sets, 2)],
        ['cost', 'n', row => number(row.cost, 2)], ['value', 'n', row => number(row.value, 2)],
        ['gain', 'n', row => [signed(row.value - row.cost, 2), tone(row.value - row.cost)]],
      ], state.positions, 'nothing is held');
      table('orders', [
        ['time', '', row => clock(row.time)], ['strategy', '', row => row.strategy],
        ['side', '', row => row.side + (row.unwind ? ' (unwind)' : '')], ['instrument', '', where],
        ['quantity', 'n', row => number(row.quantity, 2)], ['limit', 'n', row => number(row.limit, 4)],
        ['filled', 'n', row => number(row.filled, 2)],
        ['state', '', row => [row.state, { filled: 'good', rejected: 'bad', unknown: 'bad' }[row.state] || '']],
        ['reason', 'faint', row => row.reason],
      ], state.orders.slice(0, 20), 'no orders yet');
      table('fills', [
        ['number', 'n', row => number(row.sequence, 0)], ['time', '', row => clock(row.time)],
        ['strategy', '', row => row.strategy], ['side', '', row => row.side], ['instrument', '', where],
        ['quantity', 'n', row => number(row.quantity, 2)], ['price', 'n', row => number(row.price, 4)],
        ['fee', 'n', row => number(row.fee, 4)],
      ], state.fills.slice(0, 20), 'no fills yet');
      showProfit(state);
      showHealth(state.health);
      const up = state.processes.filter(row => row.state === 'RUNNING' && row.ready).length;
      put($('says'), up + ' of ' + state.processes.length + ' processes up · ' + clock(state.time), 'faint');
    }

    async function turn() {
      try {
        const answer = await fetch('/api/state', { cache: 'no-store' });
        if (answer.status === 401) {
          put($('says'), 'the dashboard has a new token: `bulkhead dashboard` tells the address', 'bad');
        } else {
          show(await answer.json());
        }
      } catch (error) {
        put($('says'), 'the dashboard does not answer', 'bad');
      }
      setTimeout(turn, 1000);
    }
    turn();

    """#
}
