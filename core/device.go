package core

import (
	"strings"
	"time"
)

// A device that a person has signed in from is known by a text that it keeps: who holds it is counted apart from
// everybody else, so that a stranger's guesses do not lock the owner out. It opens nothing. All that it says is sealed
// in it, so that the store keeps nothing of devices and a sign-in looks nothing up.

// DeviceLifetime is for how long a device is known after each sign-in.
const DeviceLifetime = 180 * 24 * time.Hour

// maxDeviceLength bounds what is opened, in bytes.
const maxDeviceLength = 512

// mailed begins what a device goes by that is known by a token from the user's mail, until a sign-in is complete there. Its codes are counted as
// those from everywhere are: whoever reads somebody's mail has as many such devices as they like, and must not have the second factor for it.
const mailed = "m."

// signedInFrom returns what a device goes by that a sign-in was completed from, "" for any other.
func signedInFrom(device string) string {
	if strings.HasPrefix(device, mailed) {
		return ""
	}
	return device
}

// mailedDevice returns the text for a device from which a token of the user's mail was shown. known is what it goes by, "" for a new one.
func (d *deps) mailedDevice(user *User, known string, now time.Time) (string, error) {
	if known == "" {
		id, err := d.ids.text(idLength)
		if err != nil {
			return "", err
		}
		known = mailed + id
	}
	return d.newDevice(user, known, now)
}

// devicePlace is where the text of a device is sealed for, so that it opens in no other realm.
func devicePlace(realm RealmID) string { return "device:" + string(realm) }

// newDevice returns the text for a device of a user. name is what it went by before, "" for a new one.
func (d *deps) newDevice(user *User, name string, now time.Time) (string, error) {
	if name == "" {
		var err error
		if name, err = d.ids.text(idLength); err != nil {
			return "", err
		}
	}
	until := hexMillis(now.Add(DeviceLifetime).UnixMilli())
	text, err := d.master.seal(d.random, devicePlace(user.Realm), []byte(string(user.ID)+" "+name+" "+until))
	return prefixDevice + text, err
}

// knownDevice returns what a device of a user goes by, and "" for one that is not known. user may be nil, which takes as
// long.
func (d *deps) knownDevice(realm RealmID, user *User, text string, now time.Time) string {
	sealed, ok := strings.CutPrefix(text, prefixDevice)
	if !ok || len(text) > maxDeviceLength {
		return ""
	}
	open, err := d.master.open(devicePlace(realm), sealed)
	said := strings.Split(string(open), " ")
	if err != nil || len(said) != 3 || user == nil || said[0] != string(user.ID) || said[2] <= hexMillis(now.UnixMilli()) {
		return ""
	}
	return said[1]
}
