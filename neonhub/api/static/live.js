// The live page: one WebSocket, what runs with its progress, and the newest events.
"use strict";

const KEPT_EVENTS = 200;
const byId = (id) => document.getElementById(id);
const running = new Map();
let lastEventId = null;
let socket = null;
let wait = 500;

function element(name, text, className) {
  const node = document.createElement(name);
  if (text !== undefined) node.textContent = text;
  if (className) node.className = className;
  return node;
}

async function showAgents() {
  const answer = await fetch("/api/agents?pageSize=100");
  const { items } = await answer.json();
  const schedules = await Promise.all(items.map(async ({ id }) => {
    const found = await fetch(`/api/agents/${id}/schedules`);
    return found.ok ? (await found.json()).items : [];
  }));
  byId("agents").replaceChildren(...items.map((agent, n) => agentItem(agent, schedules[n])));
  const filter = byId("filter");
  const chosen = filter.value;
  const option = (id) => Object.assign(element("option", id), { value: id });
  filter.replaceChildren(Object.assign(element("option", "all"), { value: "" }), ...items.map(({ id }) => option(id)));
  filter.value = chosen;
}

function agentItem(agent, schedules) {
  const item = element("li");
  item.append(element("strong", agent.name), element("small", agent.id));
  for (const schedule of schedules) {
    const next = schedule.nextRunAt ? `next ${new Date(schedule.nextRunAt).toLocaleString()}` : "never again";
    item.append(element("small", `${schedule.description} · ${schedule.enabled ? next : "disabled"}`));
  }
  const run = element("button", "Run now");
  run.addEventListener("click", () => fetch(`/api/agents/${agent.id}/run`, { method: "POST" }));
  item.append(run);
  return item;
}

function connect() {
  socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`);
  socket.addEventListener("open", () => { wait = 500; subscribe(); showAgents(); });
  socket.addEventListener("message", ({ data }) => take(JSON.parse(data)));
  socket.addEventListener("close", () => {
    showState("reconnecting", false);
    setTimeout(connect, wait);
    wait = Math.min(wait * 2, 10000);
  });
}

function subscribe() {
  const message = { action: "subscribe" };
  const agent = byId("filter").value;
  if (agent) message.agentIds = [agent];
  if (lastEventId) message.lastEventId = lastEventId;
  socket.send(JSON.stringify(message));
}

function take(message) {
  if (message.event === "subscribed") {
    lastEventId = lastEventId || message.lastEventId;
    showState("live", true);
  } else if (message.event === "resync_required") {
    lastEventId = null;
    running.clear();
    showRunning();
    showAgents();
  } else if (message.id) {
    lastEventId = message.id;
    follow(message);
  }
}

function follow(message) {
  const { event, sessionId, agentId, data } = message;
  if (event === "agent:started") running.set(sessionId, { agentId, progress: 0, message: "" });
  if (event === "agent:progress") running.set(sessionId, { agentId, ...data });
  if (event === "agent:completed" || event === "agent:failed") running.delete(sessionId);
  showRunning();
  if (event !== "agent:progress") addEvent(message);
}

function showRunning() {
  const items = [...running.values()].map(({ agentId, progress, message }) => {
    const item = element("li", undefined, "run");
    const bar = element("div", undefined, "bar");
    const filled = element("div");
    filled.style.width = `${progress}%`;
    bar.append(filled);
    item.append(element("span", message ? `${agentId}: ${message}` : agentId), bar, element("span", `${Math.round(progress)} %`));
    return item;
  });
  byId("running").replaceChildren(...(items.length ? items : [element("li", "Nothing runs at the moment.", "empty")]));
}

function addEvent({ event, agentId, timestamp, data }) {
  const row = element("tr");
  row.append(
    element("td", new Date(timestamp).toLocaleTimeString()),
    element("td", event, event.split(":")[1]),
    element("td", agentId || ""),
    element("td", details(event, data)),
  );
  const table = byId("events");
  table.prepend(row);
  while (table.rows.length > KEPT_EVENTS) table.deleteRow(-1);
}

function details(event, data) {
  if (event === "agent:started") return `attempt ${data.attempt} on ${data.worker}`;
  if (event === "agent:completed") return `after ${data.durationMs} ms`;
  if (event === "scheduler:status") return data.paused ? `paused: ${data.reason || "no reason given"}` : "resumed";
  const again = data.willRetry ? `, again at ${new Date(data.nextAttemptAt).toLocaleTimeString()}` : "";
  const reason = data.error ? `: ${data.error.message}` : "";
  return `${data.status}${again ? reason.replace(/\.$/, "") : reason}${again}`;
}

function showState(text, isLive) {
  byId("state").textContent = text;
  byId("state").classList.toggle("live", isLive);
}

byId("filter").addEventListener("change", () => { lastEventId = null; running.clear(); showRunning(); subscribe(); });
connect();
