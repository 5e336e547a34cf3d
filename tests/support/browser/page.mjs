// A small Matrix client on matrix-js-sdk with its wasm crypto: what a person sees of bridged chats, and of encrypted ones
// beside them, in a browser.

import { ClientEvent, createClient, MatrixEventEvent, RoomEvent } from "matrix-js-sdk";

const byId = (id) => document.getElementById(id);
const TAGS = new Set(["A", "B", "BLOCKQUOTE", "BR", "CODE", "DEL", "EM", "H1", "H2", "H3", "H4", "H5", "H6", "I", "LI", "OL", "P", "PRE", "S", "STRONG", "U", "UL"]);

let client;
let shown;
/** The room in the pane beside it. */
let beside;

byId("login").addEventListener("submit", async (event) => {
  event.preventDefault();
  const { homeserver, user, password } = Object.fromEntries(new FormData(event.target));
  try {
    client = await logIn(homeserver, user, password);
  } catch (error) {
    byId("failure").value = error.message;
    return;
  }
  for (const event of [ClientEvent.Room, RoomEvent.Timeline, RoomEvent.Name, RoomEvent.MyMembership, RoomEvent.LocalEchoUpdated]) {
    client.on(event, drawSoon);
  }
  client.on(ClientEvent.Sync, drawSoon);
  client.on(MatrixEventEvent.Decrypted, drawSoon);
  await client.initRustCrypto();
  await client.startClient({ initialSyncLimit: 20, lazyLoadMembers: true });
  await signOwnDevice();
  byId("login").hidden = true;
  byId("chats").hidden = false;
});

byId("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  const { text } = event.target.elements;
  client.sendTextMessage(shown, text.value);
  text.value = "";
});

/** The first device makes the keys by which a person's devices trust each other. */
async function signOwnDevice() {
  const crypto = client.getCrypto();
  if (await crypto.userHasCrossSigningKeys(client.getUserId(), true)) return;
  await crypto.bootstrapCrossSigning({ authUploadDeviceSigningKeys: (request) => request(null) });
}

async function logIn(baseUrl, user, password) {
  const request = { type: "m.login.password", identifier: { type: "m.id.user", user }, password };
  const login = await createClient({ baseUrl }).loginRequest(request);
  const { user_id: userId, access_token: accessToken, device_id: deviceId } = login;
  return createClient({ baseUrl, userId, accessToken, deviceId });
}

let drawing = false;

/** Draws once, however many events came in between. */
function drawSoon() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    drawRooms();
    drawRoom();
    drawBeside();
  });
}

function drawRooms() {
  const joined = client.getRooms().filter((room) => room.getMyMembership() === "join");
  const spaces = joined.filter((room) => room.isSpaceRoom());
  const inSpace = new Set();
  const parts = spaces.map((space) => {
    const children = space.currentState.getStateEvents("m.space.child").map((event) => event.getStateKey());
    const rooms = joined.filter((room) => children.includes(room.roomId));
    for (const room of rooms) inSpace.add(room);
    return section(avatarOf(space.name, space.getMxcAvatarUrl()), space.name, rooms);
  });
  const others = joined.filter((room) => !room.isSpaceRoom() && !inSpace.has(room));
  if (others.length > 0) parts.push(section("", "Other rooms", others));
  byId("rooms").replaceChildren(...parts);
}

function section(avatar, title, rooms) {
  const box = element("div", { className: "section" });
  box.append(element("h3", {}, avatar, title), ...rooms.sort((a, b) => (a.name < b.name ? -1 : 1)).map(entry));
  return box;
}

function entry(room) {
  const button = element("button", { type: "button" }, element("span", {}, room.name));
  button.setAttribute("aria-current", room.roomId === shown);
  const unread = room.getUnreadNotificationCount();
  if (unread > 0) button.append(element("span", { className: "unread" }, String(unread)));
  button.addEventListener("click", () => {
    shown = room.roomId;
    open(room);
  });
  const toTheSide = element("button", { type: "button", className: "beside", title: `Open ${room.name} beside` }, "+");
  toTheSide.addEventListener("click", () => {
    beside = room.roomId;
    open(room);
  });
  return element("div", { className: "entry" }, button, toTheSide);
}

function open(room) {
  drawSoon();
  // What was said before the last sync that left some out.
  client.scrollback(room, 30).then(drawSoon);
}

function drawRoom() {
  const room = shown && client.getRoom(shown);
  byId("room").hidden = !room;
  if (!room) return;
  byId("name").textContent = room.name;
  byId("topic").textContent = room.currentState.getStateEvents("m.room.topic", "")?.getContent().topic ?? "";
  drawTimeline(room, byId("timeline"));
}

function drawBeside() {
  const room = beside && client.getRoom(beside);
  byId("beside").hidden = !room;
  if (!room) return;
  byId("beside-name").textContent = room.name;
  drawTimeline(room, byId("beside-timeline"));
}

function drawTimeline(room, timeline) {
  const messages = room.getLiveTimeline().getEvents().filter((event) => event.getType() === "m.room.message" && !event.isRedacted());
  timeline.replaceChildren(...messages.map((event) => message(room, event)));
  timeline.scrollTop = timeline.scrollHeight;
}

function message(room, event) {
  const sender = room.getMember(event.getSender());
  const name = sender?.name ?? event.getSender();
  const time = element("time", {}, event.getDate().toLocaleTimeString([], { timeStyle: "short" }));
  const body = element("div", {}, element("span", { className: "sender" }, name), time, content(event.getContent()));
  const own = event.getSender() === client.getUserId();
  const item = element("li", { className: own ? "own" : "" }, avatarOf(name, sender?.getMxcAvatarUrl()), body);
  item.dataset.encrypted = event.isEncrypted();
  item.dataset.status = event.status ?? "sent";
  return item;
}

/** Names without a picture show their first letter. Pictures need the token, which an `<img>` cannot send: they are fetched. */
function avatarOf(name, mxc) {
  if (!mxc) return element("span", { className: "avatar" }, [...name.replace(/^[@#]/, "")][0]?.toUpperCase() ?? "?");
  const image = element("img", { className: "avatar", alt: name });
  picture(mxc).then((url) => (image.src = url));
  return image;
}

const pictures = new Map();

function picture(mxc) {
  if (!pictures.has(mxc)) {
    const address = client.mxcUrlToHttp(mxc, 64, 64, "crop", false, true, true);
    const headers = { authorization: `Bearer ${client.getAccessToken()}` };
    pictures.set(mxc, fetch(address, { headers }).then((answer) => answer.blob()).then((blob) => URL.createObjectURL(blob)));
  }
  return pictures.get(mxc);
}

function content({ body, format, formatted_body: html }) {
  if (format !== "org.matrix.custom.html" || typeof html !== "string") return element("p", {}, String(body ?? ""));
  const box = element("div", {});
  copySafely(new DOMParser().parseFromString(html, "text/html").body, box);
  return box;
}

/** What a room says is a stranger's HTML: only known tags and links are kept. */
function copySafely(from, to) {
  for (const child of from.childNodes) {
    if (child.nodeType === Node.TEXT_NODE) {
      to.append(child.data);
      continue;
    }
    const kept = TAGS.has(child.tagName) ? document.createElement(child.tagName) : document.createDocumentFragment();
    if (child.tagName === "A" && /^https?:/.test(child.href)) kept.href = child.href;
    copySafely(child, kept);
    to.append(kept);
  }
}

function element(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}
