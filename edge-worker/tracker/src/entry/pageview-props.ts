/** Extension `pageview-props`, before the core: attributes `event-…` of the script's element are properties of every event. */
P = {};
for (const { name, value } of S.attributes) if (name.startsWith('event-')) P[name.slice(6)] = value;

export {};
