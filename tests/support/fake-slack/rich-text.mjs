// mrkdwn to `rich_text` blocks and back to plain text, as Slack's own clients do when a person types.
//
// Every message of the real service carries both a `text` and `blocks`; the fake makes the blocks from the
// text, so that a bridge meets both. Written from Slack's description of mrkdwn, independent of the bridge.

const ENTITIES = { "&lt;": "<", "&gt;": ">", "&amp;": "&" };

/** Turns `&lt;`, `&gt;` and `&amp;` back into characters: rich_text carries no escapes. */
export function unescapeText(text) {
  return text.replace(/&(?:lt|gt|amp);/g, (entity) => ENTITIES[entity]);
}

/** Escapes what an API caller left bare, and links bare addresses, as `chat.postMessage` does. */
export function normaliseApiText(text) {
  return text
    .split(/(```[\s\S]*?```|`[^`\n]+`|<(?:https?:|mailto:|tel:|@|#|!)[^<>\n]*>)/)
    .map((part, index) => {
      if (index % 2 === 1 && part.startsWith("<")) return part;
      const escaped = part
        .replace(/&(?!(?:lt|gt|amp);)/g, "&amp;")
        .replace(/</g, "&lt;")
        .replace(/>/g, (sign, at) => (at === 0 || part[at - 1] === "\n" ? sign : "&gt;"));
      return index % 2 === 1 ? escaped : escaped.replace(/\bhttps?:\/\/[^\s<>|]+[^\s<>|.,;:!?)'"]/g, "<$&>");
    })
    .join("");
}

/** The `rich_text` block that Slack's client would send for `text`. */
export function richTextBlock(text, blockId) {
  return { type: "rich_text", block_id: blockId, elements: parseLines(text) };
}

function parseLines(text) {
  const elements = [];
  for (const [index, part] of text.split("```").entries()) {
    if (index % 2 === 1) {
      const code = unescapeText(part.replace(/^\n/, "").replace(/\n$/, ""));
      elements.push({ type: "rich_text_preformatted", elements: [{ type: "text", text: code }], border: 0 });
    } else {
      elements.push(...parseParagraphs(part));
    }
  }
  return elements.length > 0 ? elements : [section([{ type: "text", text: "" }])];
}

function parseParagraphs(text) {
  const elements = [];
  for (const run of groupLines(text.replace(/^\n/, "").replace(/\n$/, ""))) {
    if (run.kind === "quote") {
      elements.push({ type: "rich_text_quote", elements: parseInline(run.lines.join("\n")) });
    } else if (run.kind === "plain") {
      const body = run.lines.join("\n");
      if (body !== "") elements.push(section(parseInline(body)));
    } else {
      const items = run.lines.map((line) => section(parseInline(line)));
      elements.push({ type: "rich_text_list", style: run.kind, indent: run.indent, border: 0, elements: items });
    }
  }
  return elements;
}

/** Consecutive lines of one kind: plain text, a quote, or a list of one style and depth. */
function groupLines(text) {
  const runs = [];
  for (const line of text.split("\n")) {
    const { kind, indent, content } = classify(line);
    const last = runs.at(-1);
    if (last && last.kind === kind && last.indent === indent) last.lines.push(content);
    else runs.push({ kind, indent, lines: [content] });
  }
  return runs;
}

function classify(line) {
  const quote = /^(?:>|&gt;) ?(.*)$/.exec(line);
  if (quote) return { kind: "quote", indent: 0, content: quote[1] };
  const item = /^( *)(?:([•◦▪-])|\d+\.) +(.*)$/.exec(line);
  if (item) return { kind: item[2] ? "bullet" : "ordered", indent: Math.floor(item[1].length / 4), content: item[3] };
  return { kind: "plain", indent: 0, content: line };
}

const INLINE = /`([^`\n]+)`|<([^<>\n]+)>|:([a-z0-9_+'-]+(?:::skin-tone-[2-6])?):|(?<![\w*_~])([*_~])(?=\S)(.*?\S)\4(?![\w*_~])/su;
const STYLES = { "*": "bold", _: "italic", "~": "strike" };

function parseInline(text, style = {}) {
  const elements = [];
  let rest = text;
  while (rest !== "") {
    const match = INLINE.exec(rest);
    if (!match) {
      elements.push(styled({ type: "text", text: unescapeText(rest) }, style));
      break;
    }
    if (match.index > 0) {
      elements.push(styled({ type: "text", text: unescapeText(rest.slice(0, match.index)) }, style));
    }
    const [whole, code, control, emoji, mark, inner] = match;
    if (code !== undefined) elements.push(styled({ type: "text", text: unescapeText(code) }, { ...style, code: true }));
    else if (control !== undefined) elements.push(styled(controlElement(control), style));
    else if (emoji !== undefined) elements.push(styled({ type: "emoji", name: emoji }, style));
    else elements.push(...parseInline(inner, { ...style, [STYLES[mark]]: true }));
    rest = rest.slice(match.index + whole.length);
  }
  return elements;
}

/** What stands between `<` and `>`: a mention, a broadcast, a date or a link. */
function controlElement(control) {
  const [target, ...labels] = control.split("|");
  const label = labels.join("|");
  if (target.startsWith("@")) return { type: "user", user_id: target.slice(1) };
  if (target.startsWith("#")) return { type: "channel", channel_id: target.slice(1) };
  if (target.startsWith("!subteam^")) return { type: "usergroup", usergroup_id: target.slice(9) };
  if (target.startsWith("!date^")) {
    const [, timestamp, format, url] = target.split("^");
    return { type: "date", timestamp: Number(timestamp), format, ...(url ? { url } : {}), fallback: unescapeText(label) };
  }
  if (target.startsWith("!")) return { type: "broadcast", range: target.slice(1) };
  return { type: "link", url: unescapeText(target), ...(label ? { text: unescapeText(label) } : {}) };
}

function styled(element, style) {
  return Object.keys(style).length > 0 ? { ...element, style } : element;
}

function section(elements) {
  return { type: "rich_text_section", elements };
}

/** The `text` that Slack derives for a message that was posted with blocks only. */
export function textOfBlocks(blocks) {
  return blocks.map(textOfElement).filter((text) => text !== "").join("\n");
}

function textOfElement(element) {
  if (typeof element !== "object" || element === null) return "";
  switch (element.type) {
    case "text":
    case "plain_text":
    case "mrkdwn":
      return String(element.text ?? "");
    case "user":
      return `<@${element.user_id}>`;
    case "channel":
      return `<#${element.channel_id}>`;
    case "usergroup":
      return `<!subteam^${element.usergroup_id}>`;
    case "broadcast":
      return `<!${element.range}>`;
    case "emoji":
      return `:${element.name}:`;
    case "link":
      return element.text ? `<${element.url}|${element.text}>` : `<${element.url}>`;
    case "date":
      return String(element.fallback ?? "");
    case "rich_text":
      return (element.elements ?? []).map(textOfElement).join("\n");
    case "rich_text_list":
      return (element.elements ?? []).map((item) => `• ${textOfElement(item)}`).join("\n");
    case "rich_text_preformatted":
      return `\`\`\`${(element.elements ?? []).map(textOfElement).join("")}\`\`\``;
    case "rich_text_quote":
      return (element.elements ?? []).map(textOfElement).join("").replace(/^/gm, "> ");
    default:
      if (element.text !== undefined) return textOfElement(element.text);
      return (element.elements ?? []).map(textOfElement).join("");
  }
}
