-- How a device wants a group delivered: 'muted' is readable and not pushed, 'blocked' neither (docs/architecture.md §7).
ALTER TABLE member ADD COLUMN delivery text NOT NULL DEFAULT 'all' CHECK (delivery IN ('all', 'muted', 'blocked', 'invited'));

-- What a device has chosen for a room. It holds for each later interval, in each later group of the room. No row: all.
CREATE TABLE room_delivery (
  device_id bigint NOT NULL,
  room_id   text NOT NULL,
  delivery  text NOT NULL CHECK (delivery IN ('muted', 'blocked')),
  PRIMARY KEY (device_id, room_id)
);
