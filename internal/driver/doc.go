// Package driver has devices carry out commands: each kind of driver is a way to reach them, behind one small interface.
package driver
