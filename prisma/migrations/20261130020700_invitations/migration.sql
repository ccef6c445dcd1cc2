-- Users who want to be asked before a group of strangers is delivered to them, and the rooms that such users have accepted.
CREATE TABLE asking_account (
  account_id bigint PRIMARY KEY REFERENCES account (id)
);
CREATE TABLE accepted_room (
  account_id bigint NOT NULL,
  room_id    text NOT NULL,
  PRIMARY KEY (account_id, room_id)
);
CREATE INDEX member_invited ON member (device_id, gid) WHERE delivery = 'invited';
