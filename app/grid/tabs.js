// Which browser tab this is: its client id, its outbox, and the outboxes that closed tabs left behind.

const PREFIX = "winnow:outbox:";

/** A client id that no other open tab uses; a reloaded tab gets its own back. Over plain HTTP from another machine the
 *  browser has no Locks API: then every page load has a new id, and sends what it finds, which is safe to send twice. */
export async function claimClientId(project) {
  const name = `winnow:client:${project}`;
  const known = sessionStorage.getItem(name);
  if (known && navigator.locks && (await holdLock(known))) return known;
  const fresh = newId();
  if (navigator.locks) await holdLock(fresh);
  sessionStorage.setItem(name, fresh);
  return fresh;
}

export function outboxKey(project, client) {
  return `${PREFIX}${project}:${client}`;
}

/** Send what tabs that are gone did not get confirmed. send(client, acts) resolves once the acts are committed. */
export async function adoptOrphans(project, ownClient, send) {
  const start = `${PREFIX}${project}:`;
  const keys = Object.keys(localStorage).filter((key) => key.startsWith(start));
  for (const key of keys) {
    const client = key.slice(start.length);
    if (client === ownClient) continue;
    const adopt = async () => {
      const { acts } = JSON.parse(localStorage.getItem(key) || '{"acts": []}');
      if (acts.length) await send(client, acts);
      localStorage.removeItem(key);
    };
    if (navigator.locks) {
      await navigator.locks.request(lockName(client), { ifAvailable: true }, (lock) => (lock ? adopt() : undefined));
    } else {
      await adopt();
    }
  }
}

/** Hold the tab's lock for as long as the tab lives. */
function holdLock(client) {
  return new Promise((decided) => {
    navigator.locks.request(lockName(client), { ifAvailable: true }, (lock) => {
      decided(Boolean(lock));
      return lock ? new Promise(() => {}) : undefined;
    });
  });
}

function lockName(client) {
  return `winnow:tab:${client}`;
}

function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
